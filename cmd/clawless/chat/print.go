package chat

import (
	"fmt"
	"io"
	"strings"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
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

	Tools   []toolUse    `json:"tools,omitempty"`
	Receipt *sdk.Receipt `json:"receipt,omitempty"`
}

// step is one event as -o jsonl prints it.
type step struct {
	Type      string `json:"type"` // started, text, reasoning, tool_call, tool, finish, receipt, usage, reconnecting
	Text      string `json:"text,omitempty"`
	Model     string `json:"model,omitempty"`
	SessionID string `json:"session_id,omitempty"`
	RunID     string `json:"run_id,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Name      string `json:"name,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Input     int64  `json:"input_tokens,omitempty"`
	Output    int64  `json:"output_tokens,omitempty"`

	Tool    *toolUse     `json:"tool,omitempty"`
	Receipt *sdk.Receipt `json:"receipt,omitempty"`
}

// printer prints an answer in the form of -o as it comes.
type printer struct {
	env     *cli.Env
	session string
	whole   answer
	open    bool // whether the line on Out has not been ended

	thoughts bool // whether the model's thoughts go to Err
	thinking bool // whether the line of thoughts on Err has not been ended
}

func (p *printer) event(ev client.Event) error {
	p.gather(ev)
	if err := p.think(ev); err != nil {
		return err
	}
	switch p.env.Flags.Output {
	case show.JSON, show.YAML:
		return nil
	case show.JSONL:
		for _, s := range p.steps(ev) {
			if err := p.env.Printer().Line(s); err != nil {
				return err
			}
		}
		return nil
	}
	switch e := ev.(type) {
	case client.TextDelta:
		return p.write(e.Text)
	case client.RefusalDelta:
		return p.write(e.Text)
	case client.ToolUse:
		if e.Over() {
			p.end()
			p.env.Note("tool: %s", cli.Clean(call(e).Line()))
		}
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
	case client.ToolUse:
		if e.Over() {
			p.whole.Tools = append(p.whole.Tools, printable(e))
		}
	case client.Finish:
		p.whole.FinishReason, p.whole.Receipt = e.Reason, e.Receipt
		if e.Model != "" {
			p.whole.Model = e.Model
		}
	case client.Usage:
		p.whole.InputTokens, p.whole.OutputTokens = e.Input, e.Output
	}
}

// steps are the lines of an event.
func (p *printer) steps(ev client.Event) []step {
	switch e := ev.(type) {
	case client.Started:
		return []step{{Type: "started", Model: e.Model, RunID: e.RunID, SessionID: p.session}}
	case client.TextDelta:
		return []step{{Type: "text", Text: e.Text}}
	case client.RefusalDelta:
		return []step{{Type: "text", Text: e.Text}}
	case client.ReasoningDelta:
		return []step{{Type: "reasoning", Text: e.Text}}
	case client.ToolCallDelta:
		return []step{{Type: "tool_call", Index: &e.Index, Name: e.Name, Text: e.Arguments}}
	case client.ToolUse:
		one := printable(e)
		return []step{{Type: "tool", Tool: &one}}
	case client.Finish:
		out := []step{{Type: "finish", Reason: e.Reason}}
		if e.Receipt != nil {
			out = append(out, step{Type: "receipt", Receipt: e.Receipt})
		}
		return out
	case client.Usage:
		return []step{{Type: "usage", Input: e.Input, Output: e.Output}}
	case client.Reconnecting:
		return []step{{Type: "reconnecting"}}
	}
	return nil
}

// think shows thoughts on Err, dimmed where there are colours, and ends their line before anything else is shown.
func (p *printer) think(ev client.Event) error {
	if !p.thoughts {
		return nil
	}
	r, ok := ev.(client.ReasoningDelta)
	text := "\n"
	switch {
	case ok:
		if text = r.Text; p.env.ErrTTY() {
			text = cli.Clean(text)
		}
		if p.env.Colour(p.env.Err) {
			text = "\x1b[2m" + text + "\x1b[22m"
		}
	case !p.thinking:
		return nil
	}
	p.thinking = ok
	if _, err := io.WriteString(p.env.Err, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// receipt says on Err where the answer came from and what it cost.
func (p *printer) receipt() error {
	lines := []string{"the server gave no receipt"}
	if p.whole.Receipt != nil {
		lines = told(p.whole.Receipt)
	}
	if _, err := fmt.Fprintln(p.env.Err, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// end ends the open lines, so that an error stands on its own.
func (p *printer) end() {
	if p.thinking {
		_, _ = fmt.Fprintln(p.env.Err)
	}
	if p.open {
		_, _ = fmt.Fprintln(p.env.Out)
	}
	p.thinking, p.open = false, false
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
