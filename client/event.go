package client

import (
	"iter"
	"strings"
	"time"

	"github.com/clawless/clawless/sdk"
)

// Event is one step of an answer: Started, TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta, ToolUse, Finish, Usage or Reconnecting. More kinds may come; pass over what
// you do not know.
type Event interface{ event() }

// Started is the first event of every answer.
type Started struct {
	RunID string // for Cancel; empty for a stateless call
	Model string // provider/model that answers
}

// TextDelta is the next piece of the answer's text.
type TextDelta struct{ Text string }

// ReasoningDelta is the next piece of what the model thinks before and while it answers.
type ReasoningDelta struct{ Text string }

// RefusalDelta is the next piece of the model's reason not to answer.
type RefusalDelta struct{ Text string }

// ToolCallDelta is a fragment of a tool call. Fragments of one call have its Index; ID and Name are in the first, Arguments are to be joined to one JSON text.
type ToolCallDelta struct {
	Index               int
	ID, Name, Arguments string
}

// Finish says why the answer ended, and where it belongs.
type Finish struct {
	Reason    string // stop, length, tool_calls or content_filter
	Model     string
	SessionID string // empty for a stateless call
	RunID     string // empty for a stateless call
	Dropped   int    // older messages of the session that were left out, because the model could not take them all

	// Receipt is which model answered and why, what was tried, and what it cost; nil when the server tells this caller nothing of that, as it does a widget's visitor.
	Receipt *sdk.Receipt
}

// Usage counts the answer's tokens, in the words of the ledger: Cached is part of Input, Reasoning part of Output.
type Usage struct{ Input, Output, Cached, Reasoning int64 }

// Reconnecting says that the connection broke and the answer will be taken up after Wait. It loses and repeats nothing; show it or pass over it.
type Reconnecting struct {
	Attempt int // 1 after each event that came
	Wait    time.Duration
	Err     error
}

func (Started) event()        {}
func (TextDelta) event()      {}
func (ReasoningDelta) event() {}
func (RefusalDelta) event()   {}
func (ToolCallDelta) event()  {}
func (Finish) event()         {}
func (Usage) event()          {}
func (Reconnecting) event()   {}

// events are what a chunk says, in the order in which it is to be shown.
func events(chunk sdk.ChatChunk, runID string) (out []Event) {
	for _, choice := range chunk.Choices {
		d := choice.Delta
		if d.ReasoningContent != "" {
			out = append(out, ReasoningDelta{d.ReasoningContent})
		}
		if d.Content != "" {
			out = append(out, TextDelta{d.Content})
		}
		if d.Refusal != "" {
			out = append(out, RefusalDelta{d.Refusal})
		}
		for _, call := range d.ToolCalls {
			t := ToolCallDelta{Index: int(call.Index), ID: call.ID}
			if call.Function != nil {
				t.Name, t.Arguments = call.Function.Name, call.Function.Arguments
			}
			out = append(out, t)
		}
		if r := chunk.Clawless; r != nil && r.Tool != nil {
			out = append(out, toolUse(r.Tool))
		}
		if choice.FinishReason != "" {
			f := Finish{Reason: choice.FinishReason, Model: chunk.Model, RunID: runID}
			if r := chunk.Clawless; r != nil {
				f.SessionID, f.Dropped = r.SessionID, int(r.DroppedMessages)
				if r.Route != nil || r.Tokens != nil { // a visitor's has neither
					f.Receipt = r
				}
			}
			out = append(out, f)
		}
	}
	if u := chunk.Usage; u != nil {
		usage := Usage{Input: u.PromptTokens, Output: u.CompletionTokens}
		if u.PromptTokensDetails != nil {
			usage.Cached = u.PromptTokensDetails.CachedTokens
		}
		if u.CompletionTokensDetails != nil {
			usage.Reasoning = u.CompletionTokensDetails.ReasoningTokens
		}
		out = append(out, usage)
	}
	return out
}

// Reply is a whole answer.
type Reply struct {
	Text, Reasoning, Refusal string
	ToolCalls                []sdk.ToolCall // the caller's own functions, to be executed by it
	Started                  Started
	Finish                   Finish
	Usage                    Usage
}

// Collect joins the events of an answer. With an error the Reply holds what came before it.
func Collect(answer iter.Seq2[Event, error]) (Reply, error) {
	var r Reply
	var text, reasoning, refusal strings.Builder
	var failed error
	for ev, err := range answer {
		if err != nil {
			failed = err
			break
		}
		switch ev := ev.(type) {
		case Started:
			r.Started = ev
		case TextDelta:
			text.WriteString(ev.Text)
		case ReasoningDelta:
			reasoning.WriteString(ev.Text)
		case RefusalDelta:
			refusal.WriteString(ev.Text)
		case ToolCallDelta:
			r.ToolCalls = join(r.ToolCalls, ev)
		case Finish:
			r.Finish = ev
		case Usage:
			r.Usage = ev
		}
	}
	r.Text, r.Reasoning, r.Refusal = text.String(), reasoning.String(), refusal.String()
	return r, failed
}

// maxCalls bounds what an index may make room for.
const maxCalls = 1024

// join adds a fragment to the call that it belongs to.
func join(calls []sdk.ToolCall, d ToolCallDelta) []sdk.ToolCall {
	if d.Index < 0 || d.Index >= maxCalls {
		return calls
	}
	for len(calls) <= d.Index {
		calls = append(calls, sdk.ToolCall{Type: "function"})
	}
	call := &calls[d.Index]
	if d.ID != "" {
		call.ID = d.ID
	}
	call.Function.Name += d.Name
	call.Function.Arguments += d.Arguments
	return calls
}
