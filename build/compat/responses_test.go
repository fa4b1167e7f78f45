package compat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func respond(model, text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}}
}

func TestResponse(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := respond("mock/echo", "Zwölf Boxkämpfer jagen Viktor.")
	params.Instructions = openai.String("Repeat.")
	params.Temperature = openai.Float(0)
	params.Metadata = shared.Metadata{"a": "b"}
	params.Store = openai.Bool(true)
	got, err := client.Responses.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	if got.OutputText() != "Zwölf Boxkämpfer jagen Viktor." || got.Status != "completed" || len(got.Output) != 1 || got.Output[0].Type != "message" {
		t.Errorf("%s", got.RawJSON())
	}
	if !strings.HasPrefix(got.ID, "resp_") || got.Object != "response" || got.Model != "mock/echo" || got.CreatedAt == 0 || got.Metadata["a"] != "b" || got.Instructions.OfString != "Repeat." {
		t.Errorf("%s", got.RawJSON())
	}
	if u := got.Usage; u.InputTokens <= 0 || u.OutputTokens <= 0 || u.TotalTokens != u.InputTokens+u.OutputTokens {
		t.Errorf("usage %+v", u)
	}
}

// follow reads a stream to its end: what the deltas say, and the response of the last event.
func follow(t *testing.T, ctx context.Context, client openai.Client, params responses.ResponseNewParams) (text, arguments string, last responses.Response, err error) {
	t.Helper()
	stream := client.Responses.NewStreaming(ctx, params)
	defer stream.Close()
	number := int64(0)
	for stream.Next() {
		e := stream.Current()
		if e.SequenceNumber != number {
			t.Errorf("event %d has the number %d", number, e.SequenceNumber)
		}
		number++
		switch e := e.AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += e.Delta
		case responses.ResponseFunctionCallArgumentsDeltaEvent:
			arguments += e.Delta
		case responses.ResponseCompletedEvent:
			last = e.Response
		case responses.ResponseIncompleteEvent:
			last = e.Response
		case responses.ResponseFailedEvent:
			last = e.Response
		case nil:
			t.Errorf("the SDK does not know %s", stream.Current().RawJSON())
		}
	}
	return text, arguments, last, stream.Err()
}

func TestResponseStream(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := respond("mock/lorem", "Tell me something.")
	want, err := client.Responses.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	text, _, got, err := follow(t, ctx, client, params)
	if err != nil || text != want.OutputText() || got.OutputText() != text || got.Status != "completed" || got.Usage.TotalTokens != want.Usage.TotalTokens {
		t.Errorf("%v: the deltas say %q, the end %s, the whole answer was %s", err, text, got.RawJSON(), want.RawJSON())
	}
	params.MaxOutputTokens = openai.Int(5)
	if _, _, got, err = follow(t, ctx, client, params); err != nil || got.Status != "incomplete" || got.IncompleteDetails.Reason != "max_output_tokens" {
		t.Errorf("%s, %v", got.RawJSON(), err)
	}
}

// TestResponseToolsTakeATurn has the model call a function, in one piece and as a stream, and wants an answer made of its output.
func TestResponseToolsTakeATurn(t *testing.T) {
	client, ctx := connect(t, plenty)
	params := respond("mock/tools", "get_weather Lisbon")
	params.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather",
		map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}, false)}
	whole, err := client.Responses.New(ctx, params)
	if err != nil {
		t.Fatal(err)
	}
	_, arguments, streamed, err := follow(t, ctx, client, params)
	if err != nil {
		t.Fatal(err)
	}
	if len(streamed.Output) != 1 || streamed.Output[0].AsFunctionCall().Arguments != arguments {
		t.Fatalf("the deltas say %s, the end %s", arguments, streamed.RawJSON())
	}
	for _, first := range []*responses.Response{whole, &streamed} {
		call := first.Output[0].AsFunctionCall()
		var args struct {
			City string `json:"city"`
		}
		if err := json.Unmarshal([]byte(call.Arguments), &args); err != nil || args.City == "" || call.CallID == "" || call.Name != "get_weather" {
			t.Fatalf("%+v, %v", call, err)
		}
		next := params
		next.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage("get_weather Lisbon", responses.EasyInputMessageRoleUser),
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
			responses.ResponseInputItemParamOfFunctionCallOutput("sunny, 24 degrees")}}
		next.Input.OfInputItemList[2].OfFunctionCallOutput.CallID = openai.String(call.CallID)
		second, err := client.Responses.New(ctx, next)
		if err != nil {
			t.Fatal(err)
		}
		if second.Status != "completed" || !strings.Contains(second.OutputText(), "sunny, 24 degrees") {
			t.Errorf("%s", second.RawJSON())
		}
	}
}

func TestResponseErrors(t *testing.T) {
	client, ctx := connect(t, plenty)
	stranger := openai.NewClient(option.WithBaseURL(under.URL+"/v1"), option.WithAPIKey("clw_sk_nobody"), option.WithMaxRetries(0))
	whole := func(client openai.Client, params responses.ResponseNewParams) error {
		_, err := client.Responses.New(ctx, params)
		return err
	}
	built, earlier := respond("mock/echo", "x"), respond("mock/echo", "x")
	built.Tools = []responses.ToolUnionParam{responses.ToolParamOfWebSearch(responses.WebSearchToolTypeWebSearch)}
	earlier.PreviousResponseID = openai.String("resp_1")
	for _, tt := range []struct {
		name   string
		status int
		code   string
		err    error
	}{
		{"unknown key", 401, "invalid_api_key", whole(stranger, respond("mock/echo", "x"))},
		{"unknown model", 404, "model_not_found", whole(client, respond("mock/none", "x"))},
		{"no input", 400, "validation_failed", whole(client, responses.ResponseNewParams{Model: "mock/echo"})},
		{"a built-in tool", 400, "unsupported_parameter", whole(client, built)},
		{"an earlier response", 400, "unsupported_parameter", whole(client, earlier)},
		{"provider's limit", 429, "", whole(client, respond("mock/fail-429", "x"))},
	} {
		t.Run(tt.name, func(t *testing.T) { checkError(t, tt.err, tt.status, tt.code) })
	}
	_, _, _, err := follow(t, ctx, client, respond("mock/fail-429", "x"))
	checkError(t, err, 429, "")
}

// TestResponseFailureInTheMiddle wants a lost provider to reach the caller both ways: as a failed response and as an error.
func TestResponseFailureInTheMiddle(t *testing.T) {
	client, ctx := connect(t, plenty)
	text, _, last, err := follow(t, ctx, client, respond("mock/fail-cut", "hello"))
	if err == nil || errors.Is(err, context.DeadlineExceeded) || text == "" || last.Status != "failed" || last.Error.Code == "" || last.Error.Message == "" {
		t.Errorf("%v after %q and %s", err, text, last.RawJSON())
	}
}
