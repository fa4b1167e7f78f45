// Package answer prints an answer as it streams, for every command that has one made or follows one.
package answer

import (
	"cmp"
	"fmt"
	"io"
	"iter"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/tui/kit"
)

// Whole is the answer as -o json prints it.
type Whole struct {
	Text         string `json:"text"`
	Reasoning    string `json:"reasoning,omitempty"`
	Model        string `json:"model"`
	SessionID    string `json:"session_id,omitempty"`
	RunID        string `json:"run_id,omitempty"`
	FinishReason string `json:"finish_reason"`
	InputTokens  int64  `json:"input_tokens"`
	OutputTokens int64  `json:"output_tokens"`

	Tools   []Tool       `json:"tools,omitempty"`
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

	Tool    *Tool        `json:"tool,omitempty"`
	Receipt *sdk.Receipt `json:"receipt,omitempty"`
}

// Tool is what a tool of the server did, as -o json and -o jsonl print it.
type Tool struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Status     string      `json:"status"`
	MS         int64       `json:"ms,omitempty"`
	Why        string      `json:"why,omitempty"`
	ApprovalID string      `json:"approval_id,omitempty"`
	Arguments  string      `json:"arguments,omitempty"`
	Taint      []sdk.Taint `json:"taint,omitempty"`
}

func printable(t client.ToolUse) Tool {
	return Tool{t.ID, t.Name, string(t.Status), t.Took.Milliseconds(), t.Why, t.ApprovalID, t.Arguments, t.Taint}
}

// Call is what a tool of the server does as people read it.
func Call(t client.ToolUse) kit.Call {
	c := kit.Call{ID: t.ID, Name: t.Name, Status: kit.CallStatus(t.Status), Took: t.Took, Why: t.Why, ApprovalID: t.ApprovalID, Arguments: t.Arguments}
	for _, from := range t.Taint {
		c.Taint = append(c.Taint, from.Source+" ("+string(from.Kind)+")")
	}
	return c
}

// Printer prints an answer in the form of -o as it comes. Env is set; the others may be.
type Printer struct {
	Env      *cli.Env
	Session  string // of the answer, when it is known before it begins
	Thoughts bool   // whether the model's thoughts go to Err
	// Waits is told of a call that waits for an approval; nil says on Err how to decide it.
	Waits func(run string, t client.ToolUse) error

	whole    Whole
	open     bool // whether the line on Out has not been ended
	thinking bool // whether the line of thoughts on Err has not been ended
}

// Print prints all events. An error ends it, with the line before it ended.
func (p *Printer) Print(events iter.Seq2[client.Event, error]) error {
	for ev, err := range events {
		if err == nil {
			err = p.event(ev)
		}
		if err != nil {
			p.end()
			return err
		}
	}
	return p.finish()
}

// Receipt is where the answer came from and what it cost; nil while the server has said nothing of it.
func (p *Printer) Receipt() *sdk.Receipt { return p.whole.Receipt }

// Print prints the events in the form of -o.
func Print(env *cli.Env, events iter.Seq2[client.Event, error]) error {
	p := Printer{Env: env}
	return p.Print(events)
}

func (p *Printer) event(ev client.Event) error {
	if err := p.show(ev); err != nil {
		return err
	}
	t, ok := ev.(client.ToolUse)
	if !ok || t.Status != sdk.ToolEventStatusWaiting {
		return nil
	}
	p.end()
	if p.Waits != nil {
		return p.Waits(p.whole.RunID, t)
	}
	p.Env.Note("tool: %s waits for an approval: clawless run approve %s %s", show.Clean(t.Name), p.whole.RunID, show.Clean(t.ApprovalID))
	return nil
}

func (p *Printer) show(ev client.Event) error {
	p.gather(ev)
	if err := p.think(ev); err != nil {
		return err
	}
	switch p.Env.Flags.Output {
	case show.JSON, show.YAML:
		return nil
	case show.JSONL:
		for _, s := range p.steps(ev) {
			if err := p.Env.Printer().Line(s); err != nil {
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
			p.Env.Note("tool: %s", cli.Clean(Call(e).Line()))
		}
	case client.Reconnecting:
		p.Env.Note("the connection was lost; taking the answer up again (try %d)", e.Attempt)
	}
	return nil
}

// write sends text on as it is into a pipe or a file; on a terminal control characters are shown, never obeyed.
func (p *Printer) write(text string) error {
	if text == "" {
		return nil
	}
	if p.Env.OutTTY() {
		text = cli.Clean(text)
	}
	p.open = text[len(text)-1] != '\n'
	if _, err := io.WriteString(p.Env.Out, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (p *Printer) gather(ev client.Event) {
	switch e := ev.(type) {
	case client.Started:
		p.whole.Model, p.whole.RunID, p.whole.SessionID = e.Model, e.RunID, p.Session
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
		p.whole.SessionID = cmp.Or(p.whole.SessionID, e.SessionID)
		if e.Model != "" {
			p.whole.Model = e.Model
		}
	case client.Usage:
		p.whole.InputTokens, p.whole.OutputTokens = e.Input, e.Output
	}
}

// steps are the lines of an event.
func (p *Printer) steps(ev client.Event) []step {
	switch e := ev.(type) {
	case client.Started:
		return []step{{Type: "started", Model: e.Model, RunID: e.RunID, SessionID: p.Session}}
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
func (p *Printer) think(ev client.Event) error {
	if !p.Thoughts {
		return nil
	}
	r, ok := ev.(client.ReasoningDelta)
	text := "\n"
	switch {
	case ok:
		if text = r.Text; p.Env.ErrTTY() {
			text = cli.Clean(text)
		}
		if p.Env.Colour(p.Env.Err) {
			text = "\x1b[2m" + text + "\x1b[22m"
		}
	case !p.thinking:
		return nil
	}
	p.thinking = ok
	if _, err := io.WriteString(p.Env.Err, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// end ends the open lines, so that an error stands on its own.
func (p *Printer) end() {
	if p.thinking {
		_, _ = fmt.Fprintln(p.Env.Err)
	}
	if p.open {
		_, _ = fmt.Fprintln(p.Env.Out)
	}
	p.thinking, p.open = false, false
}

func (p *Printer) finish() error {
	switch p.Env.Flags.Output {
	case show.JSON, show.YAML:
		return p.Env.Printer().Value(p.whole)
	case show.JSONL:
		return nil
	}
	if p.whole.Text != "" && p.open {
		_, err := fmt.Fprintln(p.Env.Out)
		return err
	}
	return nil
}
