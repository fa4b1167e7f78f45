// Package answer prints an answer as it streams, for the commands that have one made or follow one.
package answer

import (
	"fmt"
	"io"
	"iter"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/cmd/clawless/cli"
	"github.com/clawless/clawless/cmd/clawless/cli/show"
	"github.com/clawless/clawless/sdk"
)

// Whole is the answer as -o json prints it.
type Whole struct {
	Text         string       `json:"text"`
	Reasoning    string       `json:"reasoning,omitempty"`
	Model        string       `json:"model"`
	SessionID    string       `json:"session_id,omitempty"`
	RunID        string       `json:"run_id,omitempty"`
	FinishReason string       `json:"finish_reason"`
	Receipt      *sdk.Receipt `json:"receipt,omitempty"`
}

// step is an event as -o jsonl prints it.
type step struct {
	Type    string       `json:"type"` // started, text, reasoning, tool, finish, reconnecting
	Text    string       `json:"text,omitempty"`
	Model   string       `json:"model,omitempty"`
	RunID   string       `json:"run_id,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Tool    *Tool        `json:"tool,omitempty"`
	Receipt *sdk.Receipt `json:"receipt,omitempty"`
}

// Tool is what a tool of the server does, as -o jsonl prints it.
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

// Print prints the events in the form of -o: the text as it comes, a line of JSON each, or the whole as one object. What tools do is told on Err.
func Print(env *cli.Env, events iter.Seq2[client.Event, error]) error {
	p := printer{env: env}
	for ev, err := range events {
		if err == nil {
			err = p.event(ev)
		}
		if err != nil {
			p.endLine()
			return err
		}
	}
	p.endLine()
	if f := env.Flags.Output; f == show.JSON || f == show.YAML {
		return env.Printer().Value(p.whole)
	}
	return nil
}

type printer struct {
	env   *cli.Env
	whole Whole
	open  bool // whether the line on Out has not been ended
}

func (p *printer) endLine() {
	if p.open {
		_, _ = fmt.Fprintln(p.env.Out)
	}
	p.open = false
}

func (p *printer) event(ev client.Event) error {
	p.gather(ev)
	switch p.env.Flags.Output {
	case show.JSON, show.YAML:
		return nil
	case show.JSONL:
		if s, ok := line(ev); ok {
			return p.env.Printer().Line(s)
		}
		return nil
	}
	switch e := ev.(type) {
	case client.TextDelta:
		return p.write(e.Text)
	case client.RefusalDelta:
		return p.write(e.Text)
	case client.ToolUse:
		p.endLine()
		p.tool(e)
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

func (p *printer) tool(t client.ToolUse) {
	switch {
	case t.Status == sdk.ToolEventStatusWaiting:
		p.env.Note("tool %s waits for an approval: clawless run approve %s %s", show.Clean(t.Name), p.whole.RunID, show.Clean(t.ApprovalID))
	case t.Why != "":
		p.env.Note("tool %s: %s: %s", show.Clean(t.Name), t.Status, show.Clean(t.Why))
	case t.Over():
		p.env.Note("tool %s: %s in %d ms", show.Clean(t.Name), t.Status, t.Took.Milliseconds())
	}
}

func (p *printer) gather(ev client.Event) {
	w := &p.whole
	switch e := ev.(type) {
	case client.Started:
		w.Model, w.RunID = e.Model, e.RunID
	case client.TextDelta:
		w.Text += e.Text
	case client.RefusalDelta:
		w.Text += e.Text
	case client.ReasoningDelta:
		w.Reasoning += e.Text
	case client.Finish:
		w.FinishReason, w.Receipt, w.SessionID = e.Reason, e.Receipt, e.SessionID
		if e.Model != "" {
			w.Model = e.Model
		}
	}
}

// line is the line of an event; some have none.
func line(ev client.Event) (step, bool) {
	switch e := ev.(type) {
	case client.Started:
		return step{Type: "started", Model: e.Model, RunID: e.RunID}, true
	case client.TextDelta:
		return step{Type: "text", Text: e.Text}, true
	case client.RefusalDelta:
		return step{Type: "text", Text: e.Text}, true
	case client.ReasoningDelta:
		return step{Type: "reasoning", Text: e.Text}, true
	case client.ToolUse:
		t := Tool{e.ID, e.Name, string(e.Status), e.Took.Milliseconds(), e.Why, e.ApprovalID, e.Arguments, e.Taint}
		return step{Type: "tool", Tool: &t}, true
	case client.Finish:
		return step{Type: "finish", Reason: e.Reason, Model: e.Model, Receipt: e.Receipt}, true
	case client.Reconnecting:
		return step{Type: "reconnecting"}, true
	}
	return step{}, false
}
