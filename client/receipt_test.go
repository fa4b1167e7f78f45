package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
)

// finished is a step that answers a streamed call with one word and the finish_reason beside this clawless object.
func finished(receipt string, bodies chan<- string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bodies != nil {
			bodies <- string(body)
		}
		if r.URL.Path == "/v1/sessions" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":"ses_1","title":"","model":"auto"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"model\":\"m/a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n"+
			"data: {\"model\":\"m/a\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"clawless\":%s}\n\ndata: [DONE]\n\n", receipt)
	}
}

const receiptJSON = `{"model":"m/a","asked":"auto","session_id":"ses_1","dropped_messages":2,"route":{"reason":"score","score":0.31,"threshold":0.34,"candidates":[{"model":"m/a","cost_micros":59},{"model":"m/b","skipped":"tier"}]},` +
	`"attempts":[{"model":"m/a","outcome":"ok","ms":12,"first_ms":5}],"tokens":{"input":11,"output":12,"cached":3,"cache_write":0,"thinking":4},"cost_micros":59,"price_version":"v1","thinking":"low","thinking_from":"message"}`

// TestReceipt: Finish carries the whole receipt, and none where the server tells only where the answer belongs.
func TestReceipt(t *testing.T) {
	for name, c := range map[string]struct {
		receipt string
		told    bool
	}{"whole": {receiptJSON, true}, "a visitor's": {`{"model":"m/a","session_id":"ses_1","dropped_messages":2}`, false}, "none": {"null", false}} {
		t.Run(name, func(t *testing.T) {
			s := play(t, finished(c.receipt, nil))
			r, err := client.Collect(connect(t, client.Options{BaseURL: s.srv.URL}).Chat(t.Context(), client.ChatRequest{Model: "auto", Messages: said("x")}))
			if err != nil || r.Text != "hi" || (r.Finish.Receipt != nil) != c.told {
				t.Fatalf("%+v, %v", r, err)
			}
			if want := 2; c.receipt != "null" && (r.Finish.Dropped != want || r.Finish.SessionID != "ses_1") {
				t.Errorf("%+v", r.Finish)
			}
			if !c.told {
				return
			}
			var want sdk.Receipt
			if err := json.Unmarshal([]byte(receiptJSON), &want); err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(r.Finish.Receipt)
			again, _ := json.Marshal(want)
			if string(got) != string(again) || *r.Finish.Receipt.CostMicros != 59 || *r.Finish.Receipt.Route.Score != 0.31 || r.Finish.Receipt.Tokens.Thinking != 4 {
				t.Errorf("got  %s\nwant %s", got, again)
			}
		})
	}
}

// TestReceiptOfTheServer reads a real one, live and from the run's log.
func TestReceiptOfTheServer(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/fail-500", FallbackModels: []string{"mock/small"}, Thinking: "off"})
	r, err := client.Collect(v.Ask(t.Context(), "hello"))
	if err != nil {
		t.Fatal(err)
	}
	paper := r.Finish.Receipt
	if paper == nil || paper.Model != "mock/small" || paper.Asked != "mock/fail-500" || paper.Route.Reason != "fallback" || len(paper.Attempts) < 2 || paper.Attempts[0].Outcome != "server" ||
		paper.CostMicros == nil || paper.Tokens.Input == 0 || paper.SessionID != v.SessionID() {
		t.Fatalf("%+v", paper)
	}
	logged, err := client.Collect(c.Follow(t.Context(), r.Started.RunID))
	if err != nil || logged.Finish.Receipt == nil || *logged.Finish.Receipt.CostMicros != *paper.CostMicros || len(logged.Finish.Receipt.Attempts) != len(paper.Attempts) {
		t.Errorf("%+v, %v", logged.Finish, err)
	}
}

// TestConversationSettings: the options go with every turn that does not say otherwise, and into the session.
func TestConversationSettings(t *testing.T) {
	bodies := make(chan string, 10)
	s := play(t, finished(receiptJSON, bodies))
	c := connect(t, client.Options{BaseURL: s.srv.URL})
	v := c.NewConversation(client.ConversationOptions{Model: "auto", Thinking: "low", FallbackModels: []string{"m/b", "m/c"}})
	ask := func(v *client.Conversation, req client.ChatRequest) (sent map[string]any) {
		t.Helper()
		req.Messages = said("x")
		if _, err := client.Collect(v.Send(t.Context(), req)); err != nil {
			t.Fatal(err)
		}
		body := <-bodies
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		return sent
	}
	holds := func(sent map[string]any, name, want string) {
		t.Helper()
		if got, _ := json.Marshal(sent[name]); string(got) != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	session := ask(v, client.ChatRequest{}) // the first body is that of the session
	holds(session, "model", `"auto"`)
	holds(session, "thinking", `"low"`)
	var first map[string]any
	if err := json.Unmarshal([]byte(<-bodies), &first); err != nil {
		t.Fatal(err)
	}
	holds(first, "model", `"auto"`)
	holds(first, "thinking", `"low"`)
	holds(first, "fallback", `["m/b","m/c"]`)
	own := ask(v, client.ChatRequest{Model: "m/x", ReasoningEffort: new("high"), Fallback: false})
	holds(own, "model", `"m/x"`)
	holds(own, "thinking", "null")
	holds(own, "reasoning_effort", `"high"`)
	holds(own, "fallback", "false")
	other := ask(c.NewConversation(client.ConversationOptions{SessionID: "ses_2", Thinking: "off", Fallback: true}), client.ChatRequest{})
	holds(other, "session_id", `"ses_2"`)
	holds(other, "model", `"default"`)
	holds(other, "thinking", `"off"`)
	holds(other, "fallback", "true")
	bare := ask(c.NewConversation(client.ConversationOptions{SessionID: "ses_2"}), client.ChatRequest{})
	for _, name := range []string{"thinking", "fallback", "reasoning_effort"} {
		if _, there := bare[name]; there {
			t.Errorf("%s is sent although nobody asked: %v", name, bare)
		}
	}
	if !strings.HasPrefix(s.requests()[0].URL.Path, "/v1/sessions") {
		t.Error("no session was made first")
	}
}
