package window

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/clean"
)

// rule is something that some provider refuses a conversation for. Refusals are the provider's own words.
type rule struct {
	name    string
	refusal string
	source  string // where the words were seen
	broken  func(list []llm.Message) string
}

// rules are kept by every context that Build makes. Some belong to one vendor, but a session may move to any model at any turn.
var rules = []rule{
	{"one-system-message", "Qwen 3.5 and later: System message must be at the beginning.", "https://github.com/vllm-project/vllm/pull/46976", oneSystem},
	{"something-asked", "Anthropic: messages: at least one message is required", "https://github.com/langchain-ai/langchain/pull/31696", somethingAsked},
	{"user-first", `Anthropic: messages: first message must use the "user" role; Gemini: Please ensure that function call turn comes immediately after a user turn or after a function response turn.`,
		"https://github.com/lobehub/lobehub/issues/1601, https://github.com/lbjlaq/Antigravity-Manager/pull/3396", userFirst},
	{"roles-alternate", `Anthropic: messages: roles must alternate between "user" and "assistant", but found multiple "user" roles in a row; Mistral, Gemma, Llama 2: After the optional system message, conversation roles must alternate user/assistant/user/assistant/...`,
		"https://github.com/modelcontextprotocol/quickstart-resources/issues/20, https://github.com/vllm-project/vllm/issues/6862", rolesAlternate},
	{"answer-after-results", "Mistral: Unexpected role 'user' after role 'tool'", "https://github.com/datapizza-labs/datapizza-ai/issues/98", answerAfterResults},
	{"not-the-assistants-last", "Anthropic: This model does not support assistant message prefill. The conversation must end with a user message.; " +
		"Mistral: Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant; Anthropic: messages: final assistant content cannot end with trailing whitespace",
		"https://github.com/smallmain/vscode-unify-chat-provider/issues/249, https://github.com/0xPlaygrounds/rig/pull/1130, https://github.com/tailcallhq/forgecode/issues/1872", endsAsked},
	{"calls-answered", "OpenAI: An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'; " +
		"Anthropic: `tool_use` ids were found without `tool_result` blocks immediately after", "https://github.com/BerriAI/litellm/issues/10083, https://github.com/anthropics/claude-code/issues/1686", callsAnswered},
	{"results-called-for", "OpenAI: messages with role 'tool' must be a response to a preceding message with 'tool_calls'; Anthropic: unexpected `tool_use_id` found in `tool_result` blocks",
		"https://github.com/miurla/morphic/issues/136, https://github.com/decocms/studio/issues/1803", resultsCalledFor},
	{"one-result-a-call", "Anthropic: each tool_use must have a single result. Found multiple `tool_result` blocks with id", "https://github.com/vectorize-io/hindsight/pull/4250", oneResult},
	{"ids-differ", "Anthropic: `tool_use` ids must be unique", "https://github.com/CherryHQ/cherry-studio/issues/14128", idsDiffer},
	{"ids-short", "OpenAI: Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40", "https://github.com/vercel/ai/issues/5171", idsShort},
	{"function-names", "OpenAI: Invalid 'messages[9].tool_calls[0].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
		"https://github.com/mcp-use/mcp-use/pull/94, https://github.com/pydantic/pydantic-ai/issues/4585", functionNames},
	{"arguments-are-objects", "vLLM: Expecting ',' delimiter: line 1 column 54 (char 53); Anthropic: tool_use.input: Input should be a valid dictionary",
		"https://github.com/vllm-project/vllm/issues/43995, https://github.com/anthropics/anthropic-sdk-typescript/issues/648", argumentsObjects},
	{"names", "OpenAI: Invalid 'messages[5].name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'", "https://github.com/FlowiseAI/Flowise/issues/2948", namesPlain},
	{"texts-say-something", "Anthropic: messages: text content blocks must be non-empty, messages: text content blocks must contain non-whitespace text",
		"https://github.com/home-assistant/core/issues/175637", textsSay},
	{"images-from-users", "OpenAI: Image URLs are only allowed for messages with role 'user', but this message with role 'tool' contains an image URL.", "https://github.com/OpenHands/OpenHands/issues/7700", imagesFromUsers},
	{"no-reasoning", "vLLM: Input should be 'image_url' ('input': 'thinking'); Anthropic wants thinking signed, and nobody else's", "https://github.com/BerriAI/litellm/issues/22997", noReasoning},
	{"few-images", "Anthropic: An image in the conversation exceeds the dimension limit for many-image requests (2000px)", "https://github.com/anthropics/claude-code/issues/49720", fewImages},
	{"no-control-tokens", "no provider refuses it: whoever writes a chat template's tokens writes turns of others", "docs/tools.md", noControlTokens},
}

// Violations names the rules of providers that a conversation breaks, with the place.
func Violations(list []llm.Message) []string {
	var out []string
	for _, r := range rules {
		if what := r.broken(list); what != "" {
			out = append(out, fmt.Sprintf("%s: %s (%s; %s)", r.name, what, r.refusal, r.source))
		}
	}
	return out
}

// each runs a check over messages and returns what it says first.
func each(list []llm.Message, check func(i int, m llm.Message) string) string {
	for i, m := range list {
		if what := check(i, m); what != "" {
			return fmt.Sprintf("message %d: %s", i, what)
		}
	}
	return ""
}

// when is text where a condition holds.
func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

func isInstruction(m llm.Message) bool { return m.Role == "system" || m.Role == "developer" }

// spokenList is the conversation without its instructions.
func spokenList(list []llm.Message) []llm.Message {
	return slices.DeleteFunc(slices.Clone(list), isInstruction)
}

func oneSystem(list []llm.Message) string {
	return each(list, func(i int, m llm.Message) string { return when(isInstruction(m) && i > 0, "an instruction") })
}

func somethingAsked(list []llm.Message) string {
	return when(len(spokenList(list)) == 0, "there is no message")
}

func userFirst(list []llm.Message) string {
	said := spokenList(list)
	return when(len(said) > 0 && said[0].Role != "user", "the first is not the user's")
}

func rolesAlternate(list []llm.Message) string {
	said := spokenList(list)
	return each(said, func(i int, m llm.Message) string {
		return when(i > 0 && m.Role != "tool" && m.Role == said[i-1].Role, "the same role again")
	})
}

func answerAfterResults(list []llm.Message) string {
	return each(list, func(i int, m llm.Message) string {
		return when(i > 0 && m.Role == "user" && list[i-1].Role == "tool", "the user after a tool")
	})
}

func endsAsked(list []llm.Message) string {
	n := len(list)
	return when(n > 0 && list[n-1].Role == "assistant", "the last is the assistant's")
}

func callsAnswered(list []llm.Message) string {
	return each(list, func(i int, m llm.Message) string {
		open := map[string]bool{}
		for _, c := range m.ToolCalls {
			open[c.ID] = true
		}
		for j := i + 1; j < len(list) && list[j].Role == "tool"; j++ {
			delete(open, list[j].ToolCallID)
		}
		return when(len(open) > 0, "a call without a result")
	})
}

// callsBefore are the calls that the tool's message at i can answer.
func callsBefore(list []llm.Message, i int) []llm.ToolCall {
	for i--; i >= 0 && list[i].Role == "tool"; i-- {
	}
	if i < 0 {
		return nil
	}
	return list[i].ToolCalls
}

func resultsCalledFor(list []llm.Message) string {
	return each(list, func(i int, m llm.Message) string {
		if m.Role != "tool" {
			return when(m.ToolCallID != "", "a result that is not a tool's")
		}
		has := slices.ContainsFunc(callsBefore(list, i), func(c llm.ToolCall) bool { return c.ID == m.ToolCallID })
		return when(!has, "a result without its call")
	})
}

func oneResult(list []llm.Message) string {
	return each(list, func(i int, m llm.Message) string {
		for j := i - 1; m.Role == "tool" && j >= 0 && list[j].Role == "tool"; j-- {
			if list[j].ToolCallID == m.ToolCallID {
				return "a second result"
			}
		}
		return ""
	})
}

func idsDiffer(list []llm.Message) string {
	seen := map[string]bool{}
	return eachCall(list, func(c llm.ToolCall) string {
		twice := seen[c.ID]
		seen[c.ID] = true
		return when(twice, "the id of another call")
	})
}

func eachCall(list []llm.Message, check func(c llm.ToolCall) string) string {
	return each(list, func(_ int, m llm.Message) string {
		for _, c := range m.ToolCalls {
			if what := check(c); what != "" {
				return what
			}
		}
		return ""
	})
}

func idsShort(list []llm.Message) string {
	return eachCall(list, func(c llm.ToolCall) string { return when(!isID(c.ID), "an id of another form") })
}

func functionNames(list []llm.Message) string {
	return eachCall(list, func(c llm.ToolCall) string {
		return when(c.Function.Name == "" || label(c.Function.Name) != c.Function.Name, "a function's name of another form")
	})
}

func argumentsObjects(list []llm.Message) string {
	return eachCall(list, func(c llm.ToolCall) string {
		var fields map[string]json.RawMessage
		return when(json.Unmarshal([]byte(c.Function.Arguments), &fields) != nil || fields == nil, "arguments that are no object")
	})
}

func namesPlain(list []llm.Message) string {
	return each(list, func(_ int, m llm.Message) string { return when(label(m.Name) != m.Name, "a name of another form") })
}

func textsSay(list []llm.Message) string {
	return each(list, func(_ int, m llm.Message) string {
		if m.Role == "assistant" && len(m.ToolCalls) > 0 && len(m.Content) == 0 {
			return ""
		}
		parts := partsOf(m.Content)
		hollow := slices.ContainsFunc(parts, func(p part) bool { return (p.kind == "text" || p.kind == "refusal") && blank(p.text) })
		return when(hollow || len(parts) == 0, "a text that says nothing")
	})
}

func imagesFromUsers(list []llm.Message) string {
	return each(list, func(_ int, m llm.Message) string {
		other := slices.ContainsFunc(partsOf(m.Content), func(p part) bool { return p.kind != "text" && p.kind != "refusal" })
		return when(m.Role != "user" && other, "more than a text")
	})
}

func noReasoning(list []llm.Message) string {
	return each(list, func(_ int, m llm.Message) string {
		return when(slices.ContainsFunc(partsOf(m.Content), func(p part) bool { return isThought(p.kind) }), "a thought")
	})
}

// fewImages allows the newest message as many as its sender wants.
func fewImages(list []llm.Message) string {
	images, holders := 0, 0
	for _, m := range list {
		before := images
		for _, p := range partsOf(m.Content) {
			if p.kind == "image_url" {
				images++
			}
		}
		if images > before {
			holders++
		}
	}
	return when(images > mostImages && holders > 1, fmt.Sprintf("%d images", images))
}

func noControlTokens(list []llm.Message) string {
	return each(list, func(_ int, m llm.Message) string {
		if isInstruction(m) {
			return ""
		}
		all := []string{llm.TextOf(m.Content), m.Name, m.ToolCallID}
		for _, c := range m.ToolCalls {
			all = append(all, c.ID, c.Function.Name, c.Function.Arguments)
		}
		return when(clean.Has(strings.Join(all, "\n")), "a control token")
	})
}
