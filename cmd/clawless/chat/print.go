package chat

import (
	"fmt"
	"io"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
)

// answer is the whole answer as -o json prints it.
type answer struct {
	Text         string `json:"text"`
	Reasoning    string `json:"reasoning,omitempty"`
	Model        string `json:"model"`
	SessionID    string `json:"session_id,omitempty"`
	RunID        string `json:"run_id,omitempty"`
	FinishReason string `json:"finish_reason"`
	InputTokens  int64  `json:"input_tokens"`
	OutputTokens int64  `json:"output_tokens"`
}

// step is one event as -o jsonl prints it.
type step struct {
	Type      string `json:"type"` // started, text, reasoning, tool_call, finish, usage, reconnecting
	Text      string `json:"text,omitempty"`
	Model     string `json:"model,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	RunID     string `json:"run_id,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Name      string `json:"name,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Input     int64  `json:"input_tokens,omitempty"`
	Output    int64  `json:"output_tokens,omitempty"`
}

// printer prints an answer in the form of -o as it comes.
type printer struct {
	env     *cli.Env
	session string
	whole   answer
	open    bool // whether the line on Out has not been ended
}

func (p *printer) event(ev client.Event) error {
	p.gather(ev)
	switch p.env.Flags.Output {
	case show.JSON, show.YAML:
		return nil
	case show.JSONL:
		if s, ok := p.step(ev); ok {
			return p.env.Printer().Line(s)
		}
		return nil
	}
	switch e := ev.(type) {
	case client.TextDelta:
		return p.write(e.Text)
	case client.RefusalDelta:
		return p.write(e.Text)
	case client.Reconnecting:
		p.env.Note("the connection was lost; taking the answer up again (try %d)", e.Attempt)
	}
	return nil
}

// write sends text on as it is into a pipe or a file; on a terminal control characters are shown, never obeyed.
func (p *printer) write(text string) error {
	if text == "" {
		return nil
	}
	if p.env.OutTTY() {
		text = cli.Clean(text)
	}
	p.open = text[len(text)-1] != '\n'
	if _, err := io.WriteString(p.env.Out, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (p *printer) gather(ev client.Event) {
	switch e := ev.(type) {
	case client.Started:
		p.whole.Model, p.whole.RunID, p.whole.SessionID = e.Model, e.RunID, p.session
	case client.TextDelta:
		p.whole.Text += e.Text
	case client.RefusalDelta:
		p.whole.Text += e.Text
	case client.ReasoningDelta:
		p.whole.Reasoning += e.Text
	case client.Finish:
		p.whole.FinishReason = e.Reason
	case client.Usage:
		p.whole.InputTokens, p.whole.OutputTokens = e.Input, e.Output
	}
}

func (p *printer) step(ev client.Event) (step, bool) {
	switch e := ev.(type) {
	case client.Started:
		return step{Type: "started", Model: e.Model, RunID: e.RunID, SessionID: p.session}, true
	case client.TextDelta:
		return step{Type: "text", Text: e.Text}, true
	case client.RefusalDelta:
		return step{Type: "text", Text: e.Text}, true
	case client.ReasoningDelta:
		return step{Type: "reasoning", Text: e.Text}, true
	case client.ToolCallDelta:
		return step{Type: "tool_call", Index: &e.Index, Name: e.Name, Text: e.Arguments}, true
	case client.Finish:
		return step{Type: "finish", Reason: e.Reason}, true
	case client.Usage:
		return step{Type: "usage", Input: e.Input, Output: e.Output}, true
	case client.Reconnecting:
		return step{Type: "reconnecting"}, true
	}
	return step{}, false
}

// end ends an open line, so that an error stands on its own.
func (p *printer) end() {
	if p.open {
		_, _ = fmt.Fprintln(p.env.Out)
	}
}

func (p *printer) finish() error {
	switch p.env.Flags.Output {
	case show.JSON, show.YAML:
		return p.env.Printer().Value(p.whole)
	case show.JSONL:
		return nil
	}
	if p.whole.Text != "" && p.open {
		_, err := fmt.Fprintln(p.env.Out)
		return err
	}
	return nil
}
