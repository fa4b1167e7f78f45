package window

import (
	"slices"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/llm"
)

// Fit keeps the newest part of a history that fits the budget and that no provider refuses: a tool call and its results are one unit, a result without its call
// and a call without its results are left out, and the first message is not an assistant's. The newest unit is kept whatever it costs.
// history is oldest first; so is the answer.
func Fit(history []llm.Message, budget int64) []llm.Message {
	units := cutUnits(history)
	keep := len(units)
	for left := budget; keep > 0; keep-- {
		cost := dialect.Prompt(units[keep-1], nil).Tokens()
		if cost > left && keep < len(units) {
			break
		}
		left -= cost
	}
	units = units[keep:]
	for len(units) > 0 && units[0][0].Role == "assistant" {
		units = units[1:]
	}
	return slices.Concat(units...)
}

// cutUnits makes units: a plain message alone, or an assistant's calls with all their results.
func cutUnits(history []llm.Message) [][]llm.Message {
	var units [][]llm.Message
	for i := 0; i < len(history); i++ {
		m := history[i]
		switch {
		case m.Role == "tool":
			continue // its call was cut off or never answered in full
		case m.Role == "assistant" && len(m.ToolCalls) > 0:
			unit, end := callUnit(history, i)
			if unit != nil {
				units = append(units, unit)
			}
			i = end - 1
		default:
			units = append(units, history[i:i+1])
		}
	}
	return units
}

// callUnit gathers the calls at i and one result for each; end is the message after them. Without all results only what the assistant said remains.
func callUnit(history []llm.Message, i int) (unit []llm.Message, end int) {
	m := history[i]
	open := map[string]bool{}
	for _, c := range m.ToolCalls {
		open[c.ID] = true
	}
	unit = []llm.Message{m}
	for end = i + 1; end < len(history) && history[end].Role == "tool"; end++ {
		if open[history[end].ToolCallID] {
			delete(open, history[end].ToolCallID)
			unit = append(unit, history[end])
		}
	}
	if len(open) == 0 {
		return unit, end
	}
	if llm.TextOf(m.Content) == "" {
		return nil, end
	}
	m.ToolCalls = nil
	return []llm.Message{m}, end
}
