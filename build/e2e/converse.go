package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	question  = "Name three things that one can see in the sky."
	maxTokens = 48
)

// answers is what the model said and what it was said to cost.
type answers struct {
	engine             string
	whole, streamed    string
	finish             string
	usage, streamUsage openai.CompletionUsage
	chunks             int
}

// converse asks once for a whole answer and once for a stream, both greedy, and checks what a client relies on.
func converse(ctx context.Context, url, key, model string) (a answers, err error) {
	client := openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{
		Model:       model,
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Temperature: openai.Float(0),
		MaxTokens:   openai.Int(maxTokens),
		Stop:        openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{"###"}},
	}
	whole, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return a, fmt.Errorf("whole answer: %w", err)
	}
	if len(whole.Choices) != 1 {
		return a, fmt.Errorf("%d choices", len(whole.Choices))
	}
	a.whole, a.finish, a.usage = whole.Choices[0].Message.Content, whole.Choices[0].FinishReason, whole.Usage

	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer func() { _ = stream.Close() }() // read to its end below
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		a.chunks++
		if !acc.AddChunk(stream.Current()) {
			return a, errors.New("the SDK's accumulator refused " + stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		return a, fmt.Errorf("stream: %w", err)
	}
	if len(acc.Choices) != 1 {
		return a, fmt.Errorf("%d choices in the stream", len(acc.Choices))
	}
	a.streamed, a.streamUsage = acc.Choices[0].Message.Content, acc.Usage
	return a, a.check(acc.Choices[0].FinishReason)
}

func (a answers) check(streamFinish string) error {
	switch {
	case strings.TrimSpace(a.whole) == "":
		return errors.New("the answer is empty")
	case a.streamed != a.whole:
		return fmt.Errorf("greedy answers differ: whole %q, streamed %q", a.whole, a.streamed)
	case a.finish != "stop" && a.finish != "length", streamFinish != a.finish:
		return fmt.Errorf("finish reasons %q and %q", a.finish, streamFinish)
	case a.chunks < 3:
		return fmt.Errorf("a stream of %d chunks", a.chunks)
	}
	for _, u := range []openai.CompletionUsage{a.usage, a.streamUsage} {
		if u.PromptTokens <= 0 || u.CompletionTokens <= 0 || u.CompletionTokens > maxTokens || u.TotalTokens != u.PromptTokens+u.CompletionTokens {
			return fmt.Errorf("usage: %d prompt tokens + %d completion tokens = %d, with at most %d allowed for the answer", u.PromptTokens, u.CompletionTokens, u.TotalTokens, maxTokens)
		}
	}
	return nil
}

// markdown is the record of one model.
func (a answers) markdown(m model) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s. Asked as `%s/%s`, greedy, at most %d tokens: %q\n", m.title, a.engine, m.provider, m.name, maxTokens, question)
	for _, part := range []struct {
		how, text string
		usage     openai.CompletionUsage
	}{{"Whole", a.whole, a.usage}, {fmt.Sprintf("Streamed in %d chunks", a.chunks), a.streamed, a.streamUsage}} {
		fmt.Fprintf(&b, "\n%s, finish reason `%s`; %d prompt tokens + %d completion tokens = %d:\n\n```text\n%s\n```\n", part.how, a.finish,
			part.usage.PromptTokens, part.usage.CompletionTokens, part.usage.TotalTokens, strings.TrimSpace(part.text))
	}
	return b.String()
}
