package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
	"github.com/clawless/clawless/server/api"
	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/runs"
)

const longPieces = 400

// asked counts the calls of the provider behind lab/long.
var asked atomic.Int64

// longAnswer is a provider that answers with many pieces of text and then calls a tool, piece by piece.
func longAnswer(w http.ResponseWriter, _ *http.Request) {
	asked.Add(1)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for _, delta := range deltas() {
		_, _ = fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"long\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":null}]}\n\n", delta)
	}
	_, _ = fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"long","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\n"+
		`data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"long","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":900,"total_tokens":903}}`+"\n\ndata: [DONE]\n\n")
	_ = flush.Flush()
}

// deltas are the long answer's, as JSON.
func deltas() (out []string) {
	for _, p := range pieces(longPieces) {
		b, _ := json.Marshal(p) // a string always marshals
		out = append(out, `{"content":`+string(b)+`}`)
	}
	out = append(out, `{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"note","arguments":""}}]}`)
	for _, part := range arguments() {
		b, _ := json.Marshal(part)
		out = append(out, `{"tool_calls":[{"index":0,"function":{"arguments":`+string(b)+`}}]}`)
	}
	return out
}

// arguments are the pieces of the tool call's JSON.
func arguments() (out []string) {
	b, _ := json.Marshal(map[string]string{"text": strings.Join(pieces(60), "")})
	for runes := []rune(string(b)); len(runes) > 0; runes = runes[min(5, len(runes)):] {
		out = append(out, string(runes[:min(5, len(runes))]))
	}
	return out
}

// whatWasSaid fails the test unless the answer is the long one, byte for byte.
func whatWasSaid(t *testing.T, r client.Reply, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(r.Text), err)
	}
	if want := strings.Join(pieces(longPieces), ""); r.Text != want {
		t.Errorf("the text is not that of the model:\n got %q\nwant %q", r.Text, want)
	}
	if want := strings.Join(arguments(), ""); len(r.ToolCalls) != 1 || r.ToolCalls[0].ID != "call_1" || r.ToolCalls[0].Function.Name != "note" || r.ToolCalls[0].Function.Arguments != want {
		t.Errorf("the call is not that of the model: %+v", r.ToolCalls)
	}
	if r.Finish.Reason != "tool_calls" || r.Usage.Output != 900 {
		t.Errorf("%+v, %+v", r.Finish, r.Usage)
	}
}

var note = []sdk.Tool{{Type: "function", Function: sdk.ToolFunction{Name: "note", Parameters: map[string]any{"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}}}}}

// TestCutWire asks the real server over connections that are cut: at every event, at random bytes, and at first before the client can know whether it was heard. The
// answer arrives byte for byte, and the provider is asked once.
func TestCutWire(t *testing.T) {
	_, key := newKey(t, nil)
	for name, cut := range map[string]func(int, []byte) int{"at every event": eachEvent, "at any byte, seed 1": anywhere(1), "at any byte, seed 2": anywhere(2)} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, under.URL)
			w.cut = cut
			w.swallow = func(conn int) bool { return conn <= 2 }
			before := asked.Load()
			session, err := connect(t, client.Options{BaseURL: under.URL, APIKey: key}).CreateSession(t.Context(), sdk.CreateSessionRequest{Model: "lab/long"})
			if err != nil {
				t.Fatal(err)
			}
			c := over(t, w, key)
			r, err := client.Collect(c.Chat(t.Context(), client.ChatRequest{SessionID: session.ID, Model: "lab/long", Messages: said("note it"), Tools: note}))
			whatWasSaid(t, r, err)
			conns, cuts := w.counted()
			if calls := asked.Load() - before; calls != 1 || conns < 100 || cuts < conns-1 {
				t.Errorf("%d calls of the provider, %d connections, %d cuts", calls, conns, cuts)
			}
			if name == "at every event" && conns < longPieces {
				t.Errorf("%d connections", conns)
			}
			var roles []string
			for m, err := range connect(t, client.Options{BaseURL: under.URL, APIKey: key}).ListMessagesAll(t.Context(), session.ID, nil) {
				if err != nil {
					t.Fatal(err)
				}
				roles = append(roles, string(m.Role))
			}
			if fmt.Sprint(roles) != "[user assistant]" {
				t.Errorf("the session has %v", roles)
			}
		})
	}
}

// house is a hub behind the API's own routes, with a chat that says the long answer at the pace of its readers.
type house struct {
	hub  *runs.Hub
	db   *db.DB
	srv  *httptest.Server
	pace chan struct{} // an event is made for each element; closed: as fast as it goes
}

var (
	putTenant  = db.System("test.tenant", `INSERT INTO tenants (id, name, tier, status, created_at, updated_at) VALUES ('ten_a', 'a', 'pro', 'active', 0, 0)`)
	putSession = db.Scoped("test.session", `INSERT INTO sessions (tenant_id, id, status, created_at, updated_at) VALUES (:tenant_id, 'ses_a', 'active', 0, 0)`)
)

// Authenticate implements api.Authenticator: everybody is the tenant's server.
func (h *house) Authenticate(context.Context, string, string) (auth.Principal, error) {
	return auth.Principal{Kind: auth.Key, TenantID: "ten_a", KeyID: "key_a", Scopes: auth.Scopes}, nil
}

func newHouse(t *testing.T, o runs.Options) *house {
	t.Helper()
	h := &house{db: dbtest.New(t), pace: make(chan struct{}, 10_000)}
	err := h.db.Write(t.Context(), func(q db.Querier) error {
		if _, err := putTenant.Exec(t.Context(), q, nil); err != nil {
			return err
		}
		_, err := putSession.Exec(t.Context(), q, db.TenantOf("ten_a"), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.DB = h.db
	h.hub = runs.New(o)
	t.Cleanup(h.hub.Close)
	routes := api.New(api.Options{Version: "0.0.0-test", Auth: h})
	runs.Routes{DB: h.db, Hub: h.hub, WriteTimeout: 10 * time.Second}.Register(routes)
	mux := http.NewServeMux()
	mux.Handle("/", routes)
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		l, err := h.start(r.Context(), "run_a")
		if err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("Clawless-Run-Id", l.Run.ID)
		runs.Follow(r.Context(), w, l, 0, 10*time.Second, r.Header.Get("Clawless-Event-Ids") == "1", true)
	})
	h.srv = httptest.NewServer(mux)
	t.Cleanup(h.srv.Close)
	return h
}

// start begins a run that says the long answer.
func (h *house) start(ctx context.Context, id string) (*runs.Live, error) {
	r := runs.Run{ID: id, TenantID: "ten_a", SessionID: "ses_a", KeyID: "key_a", RequestID: "req_a", Model: "lab/long", Provider: "lab", StartedAt: db.At(time.Unix(1, 0))}
	if err := h.db.Write(ctx, func(q db.Querier) error { return runs.Insert(ctx, q, r, "node_a") }); err != nil {
		return nil, err
	}
	return h.hub.Start(ctx, r, func(ctx context.Context, l *runs.Live) {
		head := `{"id":"chatcmpl-` + id + `","object":"chat.completion.chunk","created":1,"model":"lab/long",`
		for _, d := range deltas() {
			<-h.pace
			l.Log.Append(runs.Frame, []byte(head+`"choices":[{"index":0,"delta":`+d+`,"finish_reason":null}]}`))
		}
		l.Log.Append(runs.Frame, []byte(head+`"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`))
		l.Log.Append(runs.Usage, []byte(head+`"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":900,"total_tokens":903}}`))
		r.Status, r.FinishedAt = runs.Completed, db.At(time.Now())
		_ = h.db.Write(ctx, func(q db.Querier) error { return runs.Finish(ctx, q, r) })
		l.Log.Append(runs.Done, nil)
	})
}

// TestCutWithBeats cuts an answer that is made slowly at every event, with signs of life between the events: none is taken for a piece of it, and none is counted.
func TestCutWithBeats(t *testing.T) {
	h := newHouse(t, runs.Options{Beat: time.Millisecond})
	w := newWire(t, h.srv.URL)
	var beats atomic.Int64
	beaten := map[int]int{}
	var mu sync.Mutex
	w.cut = func(conn int, body []byte) int {
		mu.Lock()
		defer mu.Unlock()
		now := strings.Count(string(body), "\ndata: {\"id\":\"chatcmpl-run_a\"") - strings.Count(string(body), "\nid: ")
		switch most := eachEvent(conn, body); {
		case most >= 0:
			beats.Add(int64(max(0, now)))
			return most
		case conn%5 == 0 && now > 0: // also after nothing but a sign of life
			beats.Add(1)
			return len(body)
		case len(h.pace) == 0: // the next event is asked for when there was a sign of life, or the connection is new
			if seen, ok := beaten[conn]; !ok || now > seen {
				beaten[conn] = now
				h.pace <- struct{}{}
			}
		}
		return -1
	}
	r, err := client.Collect(over(t, w, "any").Chat(t.Context(), client.ChatRequest{SessionID: "ses_a", Messages: said("x")}))
	whatWasSaid(t, r, err)
	if conns, _ := w.counted(); conns < longPieces || beats.Load() < 20 {
		t.Errorf("%d connections, %d signs of life", conns, beats.Load())
	}
}

// TestCutFromTheSpill cuts an answer whose events are no longer in memory, at every event and at random bytes.
func TestCutFromTheSpill(t *testing.T) {
	h := newHouse(t, runs.Options{Retention: time.Hour, MaxBytes: 2000})
	close(h.pace)
	l, err := h.start(t.Context(), "run_a")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the events to be moved", func() bool { s := h.hub.Stats(); return s.Stored == 1 && s.Finished == 0 })
	if _, ok := h.hub.Get("ten_a", "", "run_a"); ok {
		t.Fatal("the events are still in memory")
	}
	for name, cut := range map[string]func(int, []byte) int{"at every event": eachEvent, "at any byte": anywhere(3)} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, h.srv.URL)
			w.cut = cut
			r, err := client.Collect(over(t, w, "any").Follow(t.Context(), "run_a"))
			whatWasSaid(t, r, err)
			if conns, _ := w.counted(); conns < 100 {
				t.Errorf("%d connections", conns)
			}
		})
	}
}
