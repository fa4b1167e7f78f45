package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

// history makes a random conversation, torn as histories are: results lost, in another order, doubled, without calls, cut at either end.
func history(random *rand.Rand, n int) []llm.Message {
	var out []llm.Message
	for i := range n {
		words := llm.Text(strings.Repeat("word ", 1+random.IntN(40)))
		switch random.IntN(5) {
		case 0, 1:
			out = append(out, llm.Message{Role: "user", Content: words})
		case 2:
			out = append(out, llm.Message{Role: "assistant", Content: words})
		case 3:
			out = append(out, llm.Message{Role: "tool", ToolCallID: fmt.Sprintf("c%d.0", random.IntN(i+1)), Content: words})
		case 4:
			m := llm.Message{Role: "assistant"}
			if random.IntN(2) == 0 {
				m.Content = words
			}
			var results []llm.Message
			for j := range 1 + random.IntN(3) {
				id := fmt.Sprintf("c%d.%d", i, j)
				m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: id, Type: "function", Function: llm.ToolCallFunction{Name: "f", Arguments: "{}"}})
				if random.IntN(6) > 0 {
					results = append(results, llm.Message{Role: "tool", ToolCallID: id, Content: words})
				}
			}
			random.Shuffle(len(results), func(a, b int) { results[a], results[b] = results[b], results[a] })
			out = append(append(out, m), results...)
		}
	}
	return out
}

// TestWindow: whatever the history, what is built from it is what every provider takes, and the newest of it.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 20_000 {
		full := history(random, random.IntN(40))
		full = append(full, llm.Message{Role: "user", Content: llm.Text(fmt.Sprint("newest ", round))})
		budget := int64(random.IntN(2000))
		got := Fit(full, budget)
		checkAccepted(t, full, got)
		if len(got) == 0 || string(got[len(got)-1].Content) != string(full[len(full)-1].Content) {
			t.Fatalf("the newest message is missing: %d of %d", len(got), len(full))
		}
		if cost := dialect.Prompt(got, nil).Tokens(); cost > budget && len(got) > 1 {
			t.Fatalf("%d tokens in %d messages for a budget of %d", cost, len(got), budget)
		}
		if all := Fit(full, 1<<40); len(got) > len(all) || !equalTail(all, got) {
			t.Fatal("what is kept is not the end of what could be")
		}
		if t.Failed() {
			t.Fatalf("history: %+v", full)
		}
	}
}

// checkAccepted holds a context to what providers demand.
func checkAccepted(t *testing.T, full, got []llm.Message) {
	t.Helper()
	if len(got) > 0 && (got[0].Role == "assistant" || got[0].Role == "tool") {
		t.Errorf("begins with %s", got[0].Role)
	}
	open := map[string]bool{}
	for i, m := range got {
		if m.Role != "tool" && len(open) > 0 {
			t.Errorf("message %d comes before the results of %v", i, open)
		}
		if m.Role == "tool" {
			if !open[m.ToolCallID] {
				t.Errorf("message %d is a result of no open call", i)
			}
			delete(open, m.ToolCallID)
		}
		for _, c := range m.ToolCalls {
			open[c.ID] = true
		}
		if m.Role == "assistant" && len(m.ToolCalls) == 0 && llm.TextOf(m.Content) == "" {
			t.Errorf("message %d says nothing", i)
		}
	}
	if len(open) > 0 {
		t.Errorf("calls without results: %v", open)
	}
	at := 0
	for _, m := range got { // nothing is made up, and the order is kept
		for at < len(full) && (full[at].Role != m.Role || string(full[at].Content) != string(m.Content)) {
			at++
		}
		if at++; at > len(full) {
			t.Error("a message that the history does not have, or another order")
			return
		}
	}
}

func equalTail(all, tail []llm.Message) bool {
	return slices.EqualFunc(all[len(all)-len(tail):], tail, func(a, b llm.Message) bool { return a.Role == b.Role && string(a.Content) == string(b.Content) })
}
