// Package window makes the context of a turn: the newest part of a conversation that a model takes, in a form that no provider refuses.
package window

import (
	"maps"
	"slices"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// Check refuses tool results that answer no open call, or not all of them: the model would never see them. Open are the calls of the newest answer that have no result yet;
// those that the server made itself have one.
func Check(history, added []llm.Message) error {
	var results []string
	for i, m := range added {
		if m.Role != "tool" {
			continue
		}
		if i > 0 && added[i-1].Role != "tool" {
			return refuse("a turn's tool results come first, before what the user says")
		}
		results = append(results, m.ToolCallID)
	}
	if len(results) == 0 {
		return nil
	}
	calls := openCalls(history)
	if len(calls) == 0 {
		return refuse("the session waits for no tool result at this place; a turn's tool results answer the calls of the message before")
	}
	for _, id := range results {
		n, known := calls[id]
		switch {
		case !known:
			return refuse("a tool result answers %s, which is no open call of the message before", id)
		case n == 0:
			return refuse("the call %s is answered twice", id)
		}
		calls[id]--
	}
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		if calls[id] > 0 {
			return refuse("the results must answer every open tool call of the message before; %s has none", id)
		}
	}
	return nil
}

// openCalls counts the calls that wait for a result, by their ids.
func openCalls(history []llm.Message) map[string]int {
	n := len(history)
	for n > 0 && history[n-1].Role == "tool" {
		n--
	}
	calls := map[string]int{}
	if n == 0 {
		return calls
	}
	for _, c := range history[n-1].ToolCalls {
		calls[c.ID]++
	}
	for _, m := range history[n:] {
		if calls[m.ToolCallID]--; calls[m.ToolCallID] <= 0 {
			delete(calls, m.ToolCallID)
		}
	}
	return calls
}

func refuse(format string, args ...any) error {
	return fault.New(fault.InvalidRequest, format, args...).WithParam("messages")
}
