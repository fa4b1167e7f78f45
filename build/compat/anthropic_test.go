package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/shared"
)

// anthropicClient is the client of a fresh tenant, made as Anthropic's own documentation does it. It retries nothing, so that every answer is seen.
func anthropicClient(t *testing.T, monthlyTokens int64) (anthropic.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	key, err := under.NewTenant(ctx, fmt.Sprintf("%s-%d", strings.ToLower(t.Name()), tenants.Add(1)), monthlyTokens)
	if err != nil {
		t.Fatal(err)
	}
	return anthropic.NewClient(option.WithBaseURL(under.URL), option.WithAPIKey(key), option.WithMaxRetries(0)), ctx
}

func message(model, text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: model, MaxTokens: 1024, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
}

func anthropicWeather() anthropic.ToolUnionParam {
	return anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: "get_weather", Description: anthropic.String("The weather in a city"),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"}}}}
}

func TestMessage(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	params := message("mock/echo", "Zwölf Boxkämpfer jagen Viktor.")
	params.System = []anthropic.TextBlockParam{{Text: "Repeat."}}
	params.Temperature = anthropic.Float(0)
	params.Metadata = anthropic.MetadataParam{UserID: anthropic.String("user-7")}
	got, err := client.Messages.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Content) != 1 || got.Content[0].AsText().Text != "Zwölf Boxkämpfer jagen Viktor." || got.StopReason != anthropic.StopReasonEndTurn || got.Role != "assistant" {
		t.Errorf("%s", got.RawJSON())
	}
	if !strings.HasPrefix(got.ID, "msg_") || got.Type != "message" || got.Model != "mock/echo" || got.Usage.InputTokens <= 0 || got.Usage.OutputTokens <= 0 {
		t.Errorf("%s", got.RawJSON())
	}
	var extra struct {
		Clawless struct {
			Model string `json:"model"`
		} `json:"clawless"`
	}
	if err := json.Unmarshal([]byte(got.RawJSON()), &extra); err != nil || extra.Clawless.Model != "mock/echo" {
		t.Errorf("no receipt: %v in %s", err, got.RawJSON())
	}
	count, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: params.Model, Messages: params.Messages})
	if err != nil || count.InputTokens < 5 || count.InputTokens > 50 {
		t.Errorf("%+v, %v", count, err)
	}
}

// accumulate reads a stream with the SDK's own accumulator.
func accumulate(ctx context.Context, client anthropic.Client, params anthropic.MessageNewParams) (whole anthropic.Message, events int, err error) {
	stream := client.Messages.NewStreaming(ctx, params)
	defer stream.Close()
	for stream.Next() {
		events++
		if err := whole.Accumulate(stream.Current()); err != nil {
			return whole, events, err
		}
	}
	return whole, events, stream.Err()
}

func TestMessageStreamAccumulates(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	params := message("mock/lorem", "Tell me something.")
	want, err := client.Messages.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	got, events, err := accumulate(ctx, client, params)
	if err != nil {
		t.Fatal(err)
	}
	if events < 20 || len(got.Content) != 1 || got.Content[0].Text != want.Content[0].Text || got.StopReason != want.StopReason || got.Model != want.Model || got.ID == "" {
		t.Errorf("%d events say %s, the whole answer is %s", events, got.RawJSON(), want.RawJSON())
	}
	if got.Usage.InputTokens != want.Usage.InputTokens || got.Usage.OutputTokens != want.Usage.OutputTokens || got.Usage.OutputTokens == 0 {
		t.Errorf("usage %+v, of the whole answer %+v", got.Usage, want.Usage)
	}
	params.MaxTokens = 5
	got, _, err = accumulate(ctx, client, params)
	if err != nil || got.StopReason != anthropic.StopReasonMaxTokens {
		t.Errorf("%s, %v", got.StopReason, err)
	}
}

// TestMessageToolsTakeATurn has the model call a tool, in one piece and as a stream, sends the message back as the SDK gives it, and wants an answer made of the result.
func TestMessageToolsTakeATurn(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	params := message("mock/tools", "get_weather Lisbon")
	params.Tools = []anthropic.ToolUnionParam{anthropicWeather()}
	whole, err := client.Messages.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	streamed, _, err := accumulate(ctx, client, params)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []*anthropic.Message{whole, &streamed} {
		if first.StopReason != anthropic.StopReasonToolUse || len(first.Content) != 1 {
			t.Fatalf("%s", first.RawJSON())
		}
		use := first.Content[0].AsToolUse()
		var input struct {
			City string `json:"city"`
		}
		if err := json.Unmarshal(use.Input, &input); err != nil || input.City == "" || use.ID == "" || use.Name != "get_weather" {
			t.Fatalf("%+v, %v", use, err)
		}
		next := params
		next.Messages = append([]anthropic.MessageParam{}, params.Messages...)
		next.Messages = append(next.Messages, first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(use.ID, "sunny, 24 degrees", false)))
		second, err := client.Messages.New(ctx, next)
		if err != nil {
			t.Fatal(err)
		}
		if second.StopReason != anthropic.StopReasonEndTurn || len(second.Content) != 1 || !strings.Contains(second.Content[0].Text, "sunny, 24 degrees") {
			t.Errorf("%s", second.RawJSON())
		}
	}
}

func TestMessageErrors(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	poor, _ := anthropicClient(t, 1)
	stranger := anthropic.NewClient(option.WithBaseURL(under.URL), option.WithAPIKey("clw_sk_nobody"), option.WithMaxRetries(0))
	whole := func(client anthropic.Client, params anthropic.MessageNewParams) error {
		_, err := client.Messages.New(ctx, params)
		return err
	}
	streamed := func(client anthropic.Client, params anthropic.MessageNewParams) error {
		_, _, err := accumulate(ctx, client, params)
		return err
	}
	served := message("mock/echo", "x")
	served.Tools = []anthropic.ToolUnionParam{{OfWebSearchTool20250305: &anthropic.WebSearchTool20250305Param{}}}
	for _, tt := range []struct {
		name   string
		err    error
		status int
		kind   shared.ErrorType
	}{
		{"unknown key", whole(stranger, message("mock/echo", "x")), 401, shared.ErrorTypeAuthenticationError},
		{"unknown key, stream", streamed(stranger, message("mock/echo", "x")), 401, shared.ErrorTypeAuthenticationError},
		{"unknown model", whole(client, message("mock/none", "x")), 404, shared.ErrorTypeNotFoundError},
		{"no messages", whole(client, anthropic.MessageNewParams{Model: "mock/echo", MaxTokens: 9}), 400, shared.ErrorTypeInvalidRequestError},
		{"a tool of Anthropic's", whole(client, served), 400, shared.ErrorTypeInvalidRequestError},
		{"provider's limit", whole(client, message("mock/fail-429", "x")), 429, shared.ErrorTypeRateLimitError},
		{"provider's limit, stream", streamed(client, message("mock/fail-429", "x")), 429, shared.ErrorTypeRateLimitError},
		{"budget", whole(poor, message("mock/lorem", "x")), 429, shared.ErrorTypeRateLimitError},
		{"provider", whole(client, message("mock/fail-500", "x")), 502, shared.ErrorTypeAPIError},
	} {
		var api *anthropic.Error
		if !errors.As(tt.err, &api) {
			t.Errorf("%s: not an API error: %v", tt.name, tt.err)
			continue
		}
		if api.StatusCode != tt.status || api.Type() != tt.kind || api.RequestID == "" || !strings.Contains(api.RawJSON(), api.RequestID) {
			t.Errorf("%s: status %d, type %q, request %q in %s", tt.name, api.StatusCode, api.Type(), api.RequestID, api.RawJSON())
		}
		if tt.status == http.StatusTooManyRequests && api.Response.Header.Get("Retry-After") == "" {
			t.Errorf("%s: 429 without Retry-After", tt.name)
		}
	}
}

// TestMessageFailureInTheMiddle wants a lost provider to reach the caller as an error, never as a short answer.
func TestMessageFailureInTheMiddle(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	got, _, err := accumulate(ctx, client, message("mock/fail-cut", "hello"))
	var api *anthropic.Error
	if !errors.As(err, &api) || api.Type() != shared.ErrorTypeAPIError || len(got.Content) != 1 || got.Content[0].Text == "" || got.StopReason != "" {
		t.Errorf("%v after %s", err, got.RawJSON())
	}
}

// TestMessageHangingUp cancels a stream after its first words; the server must still answer the next call.
func TestMessageHangingUp(t *testing.T) {
	client, ctx := anthropicClient(t, plenty)
	short, cancel := context.WithCancel(ctx)
	stream := client.Messages.NewStreaming(short, message("mock/slow", "hello"))
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
	if _, err := client.Messages.New(ctx, message("mock/echo", "still there?")); err != nil {
		t.Error(err)
	}
}
