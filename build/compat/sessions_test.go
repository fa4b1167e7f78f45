package compat

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// TestSessionInThreeDialects has one session go on in each dialect, whole and streamed: what was said in one is known in the next, and every turn is a run.
func TestSessionInThreeDialects(t *testing.T) {
	client, ctx, key := connectWithKey(t, plenty)
	var session struct {
		ID string `json:"id"`
	}
	if err := client.Post(ctx, "sessions", map[string]string{"model": "mock/recall"}, &session); err != nil {
		t.Fatal(err)
	}
	var resp *http.Response
	runs := map[string]bool{}
	check := func(dialect, text, wanted string, err error) {
		t.Helper()
		if err != nil || !strings.Contains(text, wanted) {
			t.Errorf("%s: %q, %v", dialect, text, err)
		}
		id := resp.Header.Get("Clawless-Run-Id")
		if !strings.HasPrefix(id, "run_") || runs[id] {
			t.Errorf("%s: run %q of %v", dialect, id, runs)
		}
		runs[id] = true
	}
	chat := ask("", openai.UserMessage("apple"))
	completion, err := client.Chat.Completions.New(ctx, chat, option.WithHeader("Clawless-Session", session.ID), option.WithResponseInto(&resp), option.WithJSONDel("model"))
	if err != nil {
		t.Fatal(err)
	}
	check("chat", completion.Choices[0].Message.Content, "first thing", nil)

	other := anthropic.NewClient(anthropicoption.WithBaseURL(under.URL), anthropicoption.WithAPIKey(key), anthropicoption.WithMaxRetries(0),
		anthropicoption.WithHeader("Clawless-Session", session.ID), anthropicoption.WithResponseInto(&resp))
	message1, err := other.Messages.New(ctx, message("default", "pear"))
	if err != nil {
		t.Fatal(err)
	}
	check("messages", message1.Content[0].Text, `"apple"`, nil)
	message2, _, err := accumulate(ctx, other, message("default", "plum"))
	if err != nil {
		t.Fatal(err)
	}
	check("messages, streamed", message2.Content[0].Text, `"apple", "pear"`, nil)

	third := openai.NewClient(option.WithBaseURL(under.URL+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHeader("Clawless-Session", session.ID), option.WithResponseInto(&resp))
	response, err := third.Responses.New(ctx, respond("default", "fig"))
	if err != nil {
		t.Fatal(err)
	}
	check("responses", response.OutputText(), `"pear", "plum"`, nil)
	text, _, _, err := follow(t, ctx, third, respond("default", "lime"))
	check("responses, streamed", text, `"plum", "fig"`, err)
}
