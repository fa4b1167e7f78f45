package mock

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
)

const howToUseTools = "I am a mock model that calls tools. Offer me at least one tool, name it in your message if there are several, and I will call it and repeat its result."

func planTools(p *Provider, c *call) script {
	if n := len(c.req.Messages); n > 0 && c.req.Messages[n-1].Role == "tool" {
		return script{text: c.formatted(c.reportResults()), pace: p.Pace}
	}
	chosen := c.chooseTools()
	if len(chosen) == 0 {
		return script{text: c.formatted(howToUseTools), pace: p.Pace}
	}
	return script{calls: c.calls(chosen), pace: p.Pace}
}

// calls makes a call of each tool, with arguments from the user's text.
func (c *call) calls(chosen []llm.Tool) []llm.ToolCall {
	text := c.userText()
	out := make([]llm.ToolCall, len(chosen))
	for i, t := range chosen {
		out[i] = llm.ToolCall{ID: c.callID(i), Type: "function",
			Function: llm.ToolCallFunction{Name: t.Function.Name, Arguments: sample(t.Function.Parameters, withoutName(text, t.Function.Name))}}
	}
	return out
}

// callID is the same for the same conversation and differs between its turns, so that runs can be compared.
func (c *call) callID(i int) string {
	d := c.digest()
	return fmt.Sprintf("call_%x_%d_%d", d[:6], len(c.req.Messages), i)
}

// reportResults is a sentence with the results of the tools that were called last.
func (c *call) reportResults() string {
	names := map[string]string{}
	for _, m := range c.req.Messages {
		for _, t := range m.ToolCalls {
			names[t.ID] = t.Function.Name
		}
	}
	var parts []string
	for i := len(c.req.Messages) - 1; i >= 0 && c.req.Messages[i].Role == "tool"; i-- {
		m := c.req.Messages[i]
		name := names[m.ToolCallID]
		if name == "" {
			name = "tool"
		}
		parts = append(parts, fmt.Sprintf("%s answered: %s", name, textOf(m.Content)))
	}
	slices.Reverse(parts)
	return "The " + strings.Join(parts, "\nThe ")
}

// chooseTools returns the tools to call: the one that tool_choice names, or those that the user's text names, or the first one offered.
func (c *call) chooseTools() []llm.Tool {
	if len(c.req.Tools) == 0 {
		return nil
	}
	if raw, ok := param(c.req, "tool_choice"); ok {
		var choice struct {
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		}
		if string(raw) == `"none"` {
			return nil
		}
		if json.Unmarshal(raw, &choice) == nil && choice.Function.Name != "" {
			for _, t := range c.req.Tools {
				if t.Function.Name == choice.Function.Name {
					return []llm.Tool{t}
				}
			}
		}
	}
	text := c.userText()
	var named []llm.Tool
	for _, t := range c.req.Tools {
		if findName(text, t.Function.Name) >= 0 {
			named = append(named, t)
		}
	}
	if len(named) == 0 {
		return c.req.Tools[:1]
	}
	slices.SortStableFunc(named, func(a, b llm.Tool) int { return findName(text, a.Function.Name) - findName(text, b.Function.Name) })
	if raw, ok := param(c.req, "parallel_tool_calls"); ok && string(raw) == "false" {
		return named[:1]
	}
	return named
}

// findName returns where name stands in text as a word of its own, or -1.
func findName(text, name string) int {
	part := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			break
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(name):])
		if !part(before) && !part(after) {
			return i
		}
		from = i + len(name)
	}
	return -1
}

// withoutName takes the tool's name out of the text, so that what is left can serve as its argument.
func withoutName(text, name string) string {
	if i := findName(text, name); i >= 0 {
		text = text[:i] + text[i+len(name):]
	}
	return strings.Trim(strings.TrimSpace(text), ":, ")
}

// fragmentRunes is the length of a piece of arguments.
const fragmentRunes = 12

// fragments cuts the calls into deltas as providers do: a name first, then pieces of the arguments. It stops when the budget is spent.
func fragments(calls []llm.ToolCall, budget int64) (out []llm.ToolCallDelta, used int64, finish llm.FinishReason) {
	for i, t := range calls {
		used += tokens(t.Function.Name)
		if used > budget {
			return out, budget, llm.FinishLength
		}
		out = append(out, llm.ToolCallDelta{Index: i, ID: t.ID, Name: t.Function.Name})
		for rest := []rune(t.Function.Arguments); len(rest) > 0; {
			piece := rest[:min(fragmentRunes, len(rest))]
			rest = rest[len(piece):]
			used += tokens(string(piece))
			if used > budget {
				return out, budget, llm.FinishLength
			}
			out = append(out, llm.ToolCallDelta{Index: i, Arguments: string(piece)})
		}
	}
	return out, used, llm.FinishToolCalls
}

// joined puts the fragments of each call together again, for an answer in one piece.
func joined(calls []llm.ToolCall, deltas []llm.ToolCallDelta) []llm.ToolCallDelta {
	if len(deltas) == 0 {
		return nil
	}
	out := make([]llm.ToolCallDelta, 0, len(calls))
	for _, d := range deltas {
		if d.Index == len(out) {
			out = append(out, d)
		} else {
			out[d.Index].Arguments += d.Arguments
		}
	}
	return out
}
