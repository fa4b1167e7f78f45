package mock

import (
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// thinker is the model that has thinking levels.
const thinker = "large"

// The words in the user's text that make the small model fail.
const (
	askEmpty   = "[empty]"
	askInvalid = "[invalid json]"
	askRepeat  = "[repeat]"
)

// planSmall answers as a small model does: briefly, and badly where the user's text asks for it.
func planSmall(p *Provider, c *call) script {
	text := c.userText()
	switch {
	case strings.Contains(text, askEmpty):
		return script{pace: p.Pace}
	case c.format != nil && strings.Contains(text, askInvalid):
		return script{text: `{"answer": "it breaks off he`, pace: p.Pace}
	}
	if calls := c.wantedCalls(strings.Contains(text, askRepeat)); len(calls) > 0 {
		return script{calls: calls, pace: p.Pace}
	}
	if c.afterTool() {
		return script{text: c.formatted(c.reportResults()), pace: p.Pace}
	}
	return script{text: c.formatted("In short: " + firstWords(text, 12) + "."), pace: p.Pace}
}

// planLarge answers as a large model does, and thinks first when it is told to.
func planLarge(p *Provider, c *call) script {
	s := script{pace: p.Pace, thought: c.thought()}
	if s.calls = c.wantedCalls(false); len(s.calls) > 0 {
		return s
	}
	if c.afterTool() {
		s.text = c.formatted(c.reportResults())
		return s
	}
	s.text = c.formatted("You asked: " + firstWords(c.userText(), 60) + ".\n\n" + lorem(c))
	return s
}

func (c *call) afterTool() bool {
	n := len(c.req.Messages)
	return n > 0 && c.req.Messages[n-1].Role == "tool"
}

// wantedCalls are the calls of the tools that tool_choice or the user's text asks for. After a tool's result there are none, unless the same ones are to be made again.
func (c *call) wantedCalls(again bool) []llm.ToolCall {
	if c.afterTool() && !again {
		return nil
	}
	raw, _ := param(c.req, "tool_choice")
	asked := again || len(raw) > 0 && string(raw) != `"auto"` && string(raw) != `"none"`
	for _, t := range c.req.Tools {
		asked = asked || findName(c.userText(), t.Function.Name) >= 0
	}
	if !asked {
		return nil
	}
	return c.calls(c.chooseTools())
}

// firstWords is the beginning of a text on one line, without what would end its sentence twice.
func firstWords(text string, n int) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return "nothing was asked"
	}
	more := ""
	if len(words) > n {
		words, more = words[:n], " …"
	}
	return strings.TrimRight(strings.Join(words, " "), ".!?") + more
}

// sentences is how long each level thinks.
var sentences = map[llm.Effort]int{llm.EffortMinimal: 1, llm.EffortLow: 2, llm.EffortMedium: 4, llm.EffortHigh: 8}

// thoughts are what the large model thinks, as far as its level goes.
var thoughts = []string{
	"First I look at what was asked.", "Then I check what the conversation already says about it.", "A short answer might leave something out.",
	"So I list what the answer must hold.", "I put the parts in an order that is easy to follow.", "I look for a case in which this would be wrong.",
	"There is none that matters here.", "Now I can write it down.",
}

func (c *call) thought() string {
	return strings.Join(thoughts[:sentences[c.req.Effort]], " ")
}
