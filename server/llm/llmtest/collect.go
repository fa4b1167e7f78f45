// Package llmtest checks that a provider keeps the promises of llm.Provider, with its vendor's own bytes and with every fault a connection can have.
package llmtest

import (
	"iter"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// Answer is everything that one call came to.
type Answer struct {
	Text, Reasoning, Refusal string
	Calls                    []llm.ToolCall
	Finish                   llm.FinishReason // empty when the answer did not finish
	Usage                    *llm.Usage
	Model                    string
	Chunks                   int
	Err                      *llm.Error
}

// Collect ranges over an answer to its end and fails the test where it breaks a promise of llm.Provider or llm.Chunk.
func Collect(t testing.TB, seq iter.Seq2[llm.Chunk, error]) Answer {
	t.Helper()
	var a Answer
	for chunk, err := range seq {
		if a.Err != nil {
			t.Fatal("something came after the error")
		}
		if err != nil {
			if a.Err = llm.AsError(err); a.Err == nil {
				t.Fatalf("the error is no *llm.Error: %v", err)
			}
			if a.Err.Provider == "" || a.Err.Class == "" {
				t.Errorf("the error lacks its provider or class: %+v", a.Err)
			}
			continue
		}
		a.add(t, chunk)
	}
	switch {
	case a.Err == nil && a.Finish == "":
		t.Error("the answer ended with neither a finish reason nor an error")
	case a.Err != nil && a.Finish != "":
		t.Errorf("the answer finished with %s and failed with %v", a.Finish, a.Err)
	case a.Err == nil && (a.Finish == llm.FinishToolCalls) != (len(a.Calls) > 0) && a.Finish != llm.FinishLength && a.Finish != llm.FinishContentFilter:
		t.Errorf("the answer has %d calls and finished with %s", len(a.Calls), a.Finish)
	}
	ids := map[string]bool{}
	for _, c := range a.Calls {
		if ids[c.ID] {
			t.Errorf("two calls have the id %s", c.ID)
		}
		ids[c.ID] = true
	}
	return a
}

func (a *Answer) add(t testing.TB, chunk llm.Chunk) {
	t.Helper()
	a.Chunks++
	if chunk.Text == "" && chunk.Reasoning == "" && chunk.Refusal == "" && len(chunk.ToolCalls) == 0 && len(chunk.Logprobs) == 0 && chunk.FinishReason == "" && chunk.Usage == nil {
		t.Errorf("chunk %d is empty", a.Chunks)
	}
	if chunk.Model != "" && a.Chunks > 1 {
		t.Errorf("chunk %d names the model, which only the first does", a.Chunks)
	}
	a.Text, a.Reasoning, a.Refusal, a.Model = a.Text+chunk.Text, a.Reasoning+chunk.Reasoning, a.Refusal+chunk.Refusal, a.Model+chunk.Model
	for _, d := range chunk.ToolCalls {
		a.addCall(t, d)
	}
	if chunk.FinishReason != "" {
		if a.Finish != "" {
			t.Errorf("two finish reasons: %s and %s", a.Finish, chunk.FinishReason)
		}
		a.Finish = chunk.FinishReason
	}
	if chunk.Usage != nil {
		if a.Usage != nil || a.Finish == "" {
			t.Error("usage came twice or before the finish reason")
		}
		if u := chunk.Usage; min(u.Input, u.Output, u.Cached, u.CacheWrite, u.Reasoning) < 0 || u.Cached+u.CacheWrite > u.Input || u.Reasoning > u.Output {
			t.Errorf("the usage cannot be: %+v", *u)
		}
		a.Usage = chunk.Usage
	}
}

func (a *Answer) addCall(t testing.TB, d llm.ToolCallDelta) {
	t.Helper()
	switch {
	case d.Index == len(a.Calls):
		if d.ID == "" || d.Name == "" {
			t.Errorf("the first fragment of call %d lacks its id or name: %+v", d.Index, d)
		}
		a.Calls = append(a.Calls, llm.ToolCall{ID: d.ID, Type: "function", Function: llm.ToolCallFunction{Name: d.Name}})
	case d.Index < 0 || d.Index > len(a.Calls):
		t.Fatalf("call %d came after call %d", d.Index, len(a.Calls)-1)
	case d.ID != "" || d.Name != "":
		t.Errorf("a later fragment of call %d repeats its id or name: %+v", d.Index, d)
	}
	a.Calls[d.Index].Function.Arguments += d.Arguments
}
