package dialect

import "github.com/clawless/clawless/server/llm"

// Chunk is what a frame says, as a driver would have said it. The role alone says nothing.
func (f ChatChunk) Chunk() llm.Chunk {
	var c llm.Chunk
	if u := f.Usage; u != nil {
		c.Usage = &llm.Usage{Input: u.PromptTokens, Output: u.CompletionTokens}
		if u.PromptDetails != nil {
			c.Usage.Cached = u.PromptDetails.CachedTokens
		}
		if u.CompletionDetail != nil {
			c.Usage.Reasoning = u.CompletionDetail.ReasoningTokens
		}
	}
	if len(f.Choices) == 0 {
		return c
	}
	d := f.Choices[0].Delta
	c.Text, c.Reasoning, c.Refusal = d.Content, d.Reasoning, d.Refusal
	for _, t := range d.ToolCalls {
		delta := llm.ToolCallDelta{Index: t.Index, ID: t.ID}
		if t.Function != nil {
			delta.Name, delta.Arguments = t.Function.Name, t.Function.Arguments
		}
		c.ToolCalls = append(c.ToolCalls, delta)
	}
	if r := f.Choices[0].FinishReason; r != nil {
		c.FinishReason = llm.FinishReason(*r)
	}
	return c
}

// Says reports whether the frame holds anything besides the role.
func (f ChatChunk) Says() bool {
	c := f.Chunk()
	return c.Text != "" || c.Reasoning != "" || c.Refusal != "" || len(c.ToolCalls) > 0
}
