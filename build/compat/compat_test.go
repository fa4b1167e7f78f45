package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/clawless/clawless/build/bench/lab"
)

// under is the server under test; every test makes a tenant of its own.
var under *lab.Server

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	bin := os.Getenv("CLAWLESS_BIN")
	if bin == "" {
		fmt.Fprintln(os.Stderr, "compat: CLAWLESS_BIN must name the binary; make compat does")
		return 1
	}
	dir, err := os.MkdirTemp("", "clawless-compat-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if under, err = lab.New(bin, dir); err == nil {
		err = under.Start(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		return 1
	}
	defer under.Stop()
	code := m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the server's log ends with:\n%s\n", under.Log())
	}
	return code
}

var tenants atomic.Int64

// connect gives a client of a fresh tenant, made as OpenAI's own documentation does it. It retries nothing, so that every answer is seen.
func connect(t *testing.T, monthlyTokens int64) (openai.Client, context.Context) {
	t.Helper()
	client, ctx, _ := connectWithKey(t, monthlyTokens)
	return client, ctx
}

func connectWithKey(t *testing.T, monthlyTokens int64) (client openai.Client, ctx context.Context, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	key, err := under.NewTenant(ctx, fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), tenants.Add(1)), monthlyTokens)
	if err != nil {
		t.Fatal(err)
	}
	return openai.NewClient(option.WithBaseURL(under.URL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0)), ctx, key
}

const plenty = 1 << 40

func ask(model string, messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: messages}
}

func TestJSON(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := ask("mock/echo", openai.SystemMessage("Repeat."), openai.UserMessage("Zwölf Boxkämpfer jagen Viktor."))
	params.Temperature = openai.Float(0)
	got, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 {
		t.Fatalf("%d choices", len(got.Choices))
	}
	choice := got.Choices[0]
	if choice.Message.Content != "Zwölf Boxkämpfer jagen Viktor." || choice.FinishReason != "stop" || choice.Message.Role != "assistant" {
		t.Errorf("choice %+v", choice)
	}
	if got.ID == "" || got.Object != "chat.completion" || got.Model != "mock/echo" {
		t.Errorf("id %q, object %q, model %q", got.ID, got.Object, got.Model)
	}
	if age := time.Since(time.Unix(got.Created, 0)); age < -time.Minute || age > time.Minute {
		t.Errorf("created %d is %s ago", got.Created, age)
	}
	u := got.Usage
	if u.PromptTokens <= 0 || u.CompletionTokens <= 0 || u.TotalTokens != u.PromptTokens+u.CompletionTokens {
		t.Errorf("usage %+v", u)
	}
}

func TestStreamAccumulates(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := ask("mock/lorem", openai.UserMessage("Tell me something."))
	whole, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	var acc openai.ChatCompletionAccumulator
	chunks, usages := 0, 0
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			t.Fatalf("the accumulator refused chunk %d: %s", chunks, chunk.RawJSON())
		}
		chunks++
		if chunk.JSON.Usage.Valid() {
			usages++
			if len(chunk.Choices) != 0 {
				t.Errorf("the usage came with a choice: %s", chunk.RawJSON())
			}
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if chunks < 20 || usages != 1 {
		t.Errorf("%d chunks, %d with usage", chunks, usages)
	}
	if len(acc.Choices) != 1 || acc.Choices[0].Message.Content != whole.Choices[0].Message.Content || acc.Choices[0].FinishReason != "stop" {
		t.Errorf("the stream says %+v, the whole answer was %q", acc.Choices, whole.Choices[0].Message.Content)
	}
	if acc.Usage.TotalTokens != whole.Usage.TotalTokens || acc.Usage.TotalTokens == 0 {
		t.Errorf("usage %+v, of the whole answer %+v", acc.Usage, whole.Usage)
	}
}

func TestStreamWithoutUsage(t *testing.T) {
	client, ctx := connect(t, plenty)
	stream := client.Chat.Completions.NewStreaming(ctx, ask("mock/echo", openai.UserMessage("one two three")))
	defer stream.Close()
	text := ""
	for stream.Next() {
		chunk := stream.Current()
		if chunk.JSON.Usage.Valid() || len(chunk.Choices) != 1 {
			t.Errorf("not asked for: %s", chunk.RawJSON())
			continue
		}
		text += chunk.Choices[0].Delta.Content
	}
	if err := stream.Err(); err != nil || text != "one two three" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestFailureInTheMiddle wants a lost provider to reach the caller as an error, never as a short answer.
func TestFailureInTheMiddle(t *testing.T) {
	client, ctx := connect(t, plenty)
	stream := client.Chat.Completions.NewStreaming(ctx, ask("mock/fail-cut", openai.UserMessage("hello")))
	defer stream.Close()
	text := ""
	for stream.Next() {
		for _, c := range stream.Current().Choices {
			text += c.Delta.Content
			if c.FinishReason != "" {
				t.Errorf("finish reason %q in a cut answer", c.FinishReason)
			}
		}
	}
	if stream.Err() == nil || text == "" {
		t.Errorf("after %q the error was %v", text, stream.Err())
	}
}

func weatherTool() openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name:        "get_weather",
		Description: openai.String("The weather in a city"),
		Parameters: openai.FunctionParameters{
			"type":       "object",
			"properties": map[string]any{"city": map[string]any{"type": "string"}},
			"required":   []string{"city"},
		},
	})
}

// TestToolsTakeATurn has the model call a tool, sends the message back as the SDK gives it, and wants an answer made of the tool's result.
func TestToolsTakeATurn(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := ask("mock/tools", openai.UserMessage("get_weather Lisbon"))
	params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool()}
	first, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	choice := first.Choices[0]
	if choice.FinishReason != "tool_calls" || len(choice.Message.ToolCalls) != 1 {
		t.Fatalf("%s", first.RawJSON())
	}
	call := choice.Message.ToolCalls[0]
	var args struct {
		City string `json:"city"`
	}
	if err := json.Unmarshal([]byte(call.Function.Arguments), &args); err != nil || args.City == "" || call.ID == "" || call.Function.Name != "get_weather" {
		t.Fatalf("%+v, %v", call, err)
	}
	params.Messages = append(params.Messages, choice.Message.ToParam(), openai.ToolMessage("sunny, 24 degrees", call.ID))
	second, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	if c := second.Choices[0]; !strings.Contains(c.Message.Content, "sunny, 24 degrees") || c.FinishReason != "stop" || len(c.Message.ToolCalls) != 0 {
		t.Errorf("%s", second.RawJSON())
	}
}

func TestToolsInAStream(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := ask("mock/tools", openai.UserMessage("get_weather Reykjavik in winter"))
	params.Tools = []openai.ChatCompletionToolUnionParam{weatherTool()}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	var acc openai.ChatCompletionAccumulator
	var finished openai.FinishedChatCompletionToolCall
	for stream.Next() {
		if !acc.AddChunk(stream.Current()) {
			t.Fatalf("the accumulator refused %s", stream.Current().RawJSON())
		}
		if call, ok := acc.JustFinishedToolCall(); ok {
			finished = call
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if finished.Name != "get_weather" || !json.Valid([]byte(finished.Arguments)) || finished.ID == "" {
		t.Errorf("call %+v of %s", finished, acc.RawJSON())
	}
	if acc.Choices[0].FinishReason != "tool_calls" {
		t.Errorf("finish reason %q", acc.Choices[0].FinishReason)
	}
}

func TestErrors(t *testing.T) {
	client, ctx := connect(t, plenty)
	poor, poorCtx := connect(t, 1)
	stranger := openai.NewClient(option.WithBaseURL(under.URL+"/v1"), option.WithAPIKey("clw_sk_nobody"), option.WithMaxRetries(0))
	hello := openai.UserMessage("hello")
	for _, tt := range []struct {
		name   string
		status int
		code   string
		call   func() error
	}{
		{"unknown key", 401, "invalid_api_key", func() error {
			_, err := stranger.Chat.Completions.New(ctx, ask("mock/echo", hello))
			return err
		}},
		{"unknown key, stream", 401, "invalid_api_key", func() error {
			return drain(stranger, ctx, ask("mock/echo", hello))
		}},
		{"unknown model", 404, "model_not_found", func() error {
			_, err := client.Chat.Completions.New(ctx, ask("mock/none", hello))
			return err
		}},
		{"unknown model, list", 404, "model_not_found", func() error {
			_, err := client.Models.Get(ctx, "mock/none")
			return err
		}},
		{"no messages", 400, "", func() error {
			_, err := client.Chat.Completions.New(ctx, ask("mock/echo"))
			return err
		}},
		{"provider's limit", 429, "", func() error {
			_, err := client.Chat.Completions.New(ctx, ask("mock/fail-429", hello))
			return err
		}},
		{"provider's limit, stream", 429, "", func() error {
			return drain(client, ctx, ask("mock/fail-429", hello))
		}},
		{"budget", 429, "", func() error {
			_, err := poor.Chat.Completions.New(poorCtx, ask("mock/lorem", hello))
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { checkError(t, tt.call(), tt.status, tt.code) })
	}
}

// drain reads a stream to its end and gives its error.
func drain(client openai.Client, ctx context.Context, params openai.ChatCompletionNewParams) error {
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	for stream.Next() {
	}
	return stream.Err()
}

func checkError(t *testing.T, err error, status int, code string) {
	t.Helper()
	var api *openai.Error
	if !errors.As(err, &api) {
		t.Fatalf("not an API error: %v", err)
	}
	if api.StatusCode != status || api.Message == "" || api.Type == "" || api.Code == "" || code != "" && api.Code != code {
		t.Errorf("status %d, type %q, code %q, message %q; want %d %s", api.StatusCode, api.Type, api.Code, api.Message, status, code)
	}
	if api.Response == nil || api.Response.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	if status == http.StatusTooManyRequests && api.Response.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestModels(t *testing.T) {
	client, ctx := connect(t, plenty)
	page, err := client.Models.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range page.Data {
		if seen[m.ID] {
			t.Errorf("%s twice", m.ID)
		}
		seen[m.ID] = true
	}
	if !seen["mock/echo"] || !seen["mock/lorem"] {
		t.Errorf("models %v", seen)
	}
	one, err := client.Models.Get(ctx, "mock/echo")
	if err != nil || one.ID != "mock/echo" || one.OwnedBy == "" {
		t.Errorf("%+v, %v", one, err)
	}
}

// TestHangingUp cancels a stream after its first words; the server must still answer the next call.
func TestHangingUp(t *testing.T) {
	client, ctx := connect(t, plenty)
	short, cancel := context.WithCancel(ctx)
	stream := client.Chat.Completions.NewStreaming(short, ask("mock/slow", openai.UserMessage("hello")))
	for range 3 {
		if !stream.Next() {
			t.Fatal(stream.Err())
		}
	}
	cancel()
	for stream.Next() {
	}
	stream.Close()
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("error %v", stream.Err())
	}
	if _, err := client.Chat.Completions.New(ctx, ask("mock/echo", openai.UserMessage("still there?"))); err != nil {
		t.Error(err)
	}
}
