package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawless/clawless/client"
	"github.com/clawless/clawless/sdk"
)

func said(text string) []sdk.ChatMessage {
	return []sdk.ChatMessage{{Role: sdk.MessageRoleUser, Content: sdk.Text(text)}}
}

func TestStatelessChat(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	const text = "Zwölf \u2028 Boxkämpfer\r\njagen <Viktor>."
	var kinds []string
	r, err := client.Collect(func(yield func(client.Event, error) bool) {
		for ev, err := range c.Chat(t.Context(), client.ChatRequest{Model: "mock/echo", Messages: said(text)}) {
			if k := fmt.Sprintf("%T", ev); len(kinds) == 0 || kinds[len(kinds)-1] != k {
				kinds = append(kinds, k)
			}
			if !yield(ev, err) {
				return
			}
		}
	})
	if err != nil || r.Text != text || r.Finish.Reason != "stop" || r.Finish.Model != "mock/echo" || r.Started.Model != "mock/echo" || r.Started.RunID != "" || r.Usage.Output == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := "[client.Started client.TextDelta client.Finish client.Usage]"; fmt.Sprint(kinds) != want {
		t.Errorf("events %v, want %s", kinds, want)
	}
}

func TestToolCalls(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	tools := []sdk.Tool{{Type: "function", Function: sdk.ToolFunction{Name: "get_weather", Parameters: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}}}}
	v := c.NewConversation(client.ConversationOptions{Model: "mock/tools"})
	r, err := client.Collect(v.Send(t.Context(), client.ChatRequest{Messages: said("use get_weather"), Tools: tools}))
	if err != nil || len(r.ToolCalls) != 1 || r.ToolCalls[0].Function.Name != "get_weather" || !strings.Contains(r.ToolCalls[0].Function.Arguments, `"city"`) || r.ToolCalls[0].ID == "" || r.Finish.Reason != "tool_calls" {
		t.Fatalf("%+v, %v", r, err)
	}
	result := []sdk.ChatMessage{{Role: sdk.MessageRoleTool, ToolCallID: r.ToolCalls[0].ID, Content: sdk.Text("sunny, 31 degrees")}}
	r, err = client.Collect(v.Send(t.Context(), client.ChatRequest{Messages: result, Tools: tools}))
	if err != nil || !strings.Contains(r.Text, "sunny, 31 degrees") || r.Finish.Reason != "stop" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConversation(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/recall", Title: "numbers", Metadata: map[string]string{"k": "v"}})
	if v.SessionID() != "" || v.Reset(t.Context()) != nil {
		t.Error("a session before the first message")
	}
	for range v.History(t.Context()) {
		t.Error("a message before the first")
	}
	for _, text := range []string{"one", "two"} {
		if _, err := client.Collect(v.Ask(t.Context(), text)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := client.Collect(v.Ask(t.Context(), "three"))
	if err != nil || r.Text != `Earlier you said: "one", "two".` || r.Finish.SessionID != v.SessionID() || r.Finish.RunID != r.Started.RunID || !strings.HasPrefix(r.Started.RunID, "run_") {
		t.Fatalf("%+v, %v", r, err)
	}
	var history []string
	for m, err := range c.NewConversation(client.ConversationOptions{SessionID: v.SessionID()}).History(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, string(m.Role)+" "+m.Content.String())
	}
	if len(history) != 6 || history[0] != "user one" || history[5] != "assistant "+r.Text {
		t.Errorf("%q", history)
	}
	s, err := c.GetSession(t.Context(), v.SessionID())
	if err != nil || s.Title != "numbers" || s.Metadata["k"] != "v" || s.MessageCount != 6 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := v.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := client.Collect(v.Ask(t.Context(), "four")); err != nil || r.Text != "This is the first thing you have said." {
		t.Errorf("%+v, %v", r, err)
	}
	lost := c.NewConversation(client.ConversationOptions{SessionID: "ses_none"})
	var e *client.Error
	if _, err := client.Collect(lost.Ask(t.Context(), "x")); !errors.As(err, &e) || e.HTTPStatus() != 404 {
		t.Errorf("%v", err)
	}
}

// proxy passes everything to the server under test, and may cut the streams on their way.
type proxy struct {
	*httptest.Server
	streams atomic.Int64 // requests for event streams
	cuts    atomic.Int64 // those that were cut
	open    atomic.Int64 // connections of clients
	// cut is asked for each stream (counted from 1) how many events and then bytes may pass, and how it ends.
	cut func(stream int64) (events, bytes int, end func(http.ResponseWriter))
}

// The ways in which a connection ends too early.
func reset(http.ResponseWriter)  { panic(http.ErrAbortHandler) }
func finish(http.ResponseWriter) {}

func between(t testing.TB, cut func(int64) (int, int, func(http.ResponseWriter))) *proxy {
	t.Helper()
	to, err := url.Parse(under.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{cut: cut}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.FlushInterval = -1
	own := &http.Transport{}
	pass.Transport = own
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/event-stream" {
			pass.ServeHTTP(w, r)
			return
		}
		p.stream(own, to, w, r)
	}))
	p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			p.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			p.open.Add(-1)
		}
	}
	p.Start()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
		own.CloseIdleConnections()
	})
	return p
}

func (p *proxy) stream(own *http.Transport, server *url.URL, w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = server.Scheme, server.Host, ""
	resp, err := own.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	flush := http.NewResponseController(w)
	events, bytes, end := p.cut(p.streams.Add(1))
	from, to := bufio.NewReader(resp.Body), bufio.NewWriter(w)
	last := byte(0)
	for {
		if events <= 0 && bytes <= 0 {
			_ = to.Flush()
			_ = flush.Flush()
			p.cuts.Add(1)
			end(w)
			return
		}
		if events <= 0 {
			bytes--
		}
		b, err := from.ReadByte()
		if err != nil {
			return
		}
		_ = to.WriteByte(b) // its error is that of Flush
		if b == '\n' && last == '\n' {
			if to.Flush() != nil {
				return
			}
			_ = flush.Flush()
			events--
		}
		last = b
	}
}

// through makes a client behind the proxy that waits for nothing.
func through(t testing.TB, p *proxy, key string, o client.Options) *client.Client {
	t.Helper()
	o.BaseURL, o.APIKey = p.URL, key
	c := connect(t, o)
	c.Naps(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return c
}

// whole lets every stream through.
func whole(int64) (int, int, func(http.ResponseWriter)) { return 1 << 30, 0, finish }

// events reads an answer to its end, without the events of its repair.
func events(t testing.TB, answer func(func(client.Event, error) bool)) (all []client.Event, repairs int) {
	t.Helper()
	for ev, err := range answer {
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		if _, ok := ev.(client.Reconnecting); ok {
			repairs++
			continue
		}
		all = append(all, ev)
	}
	return all, repairs
}

// TestResumeLive cuts the connection after every event while the answer is made, in two ways in turn.
func TestResumeLive(t *testing.T) {
	_, key := newKey(t, nil)
	p := between(t, func(n int64) (int, int, func(http.ResponseWriter)) {
		if n%2 == 0 {
			return 2, 0, reset // the first is `retry:`
		}
		return 2, 5, finish
	})
	c := through(t, p, key, client.Options{})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/lorem"})
	all, repairs := events(t, v.Ask(t.Context(), "Tell me something."))
	text, runID := textOf(t, all), all[0].(client.Started).RunID
	if want := lastAnswer(t, c, v.SessionID()); text != want || len(text) < 500 {
		t.Errorf("got  %q\nwant %q", text, want)
	}
	if repairs < 100 || int64(repairs) != p.streams.Load()-1 {
		t.Errorf("%d repairs, %d streams", repairs, p.streams.Load())
	}
	direct, _ := events(t, connect(t, client.Options{BaseURL: under.URL, APIKey: key}).Follow(t.Context(), runID))
	if !reflect.DeepEqual(all, direct) {
		t.Errorf("%d events, uncut %d", len(all), len(direct))
	}
}

func textOf(t testing.TB, all []client.Event) string {
	t.Helper()
	r, err := client.Collect(func(yield func(client.Event, error) bool) {
		for _, ev := range all {
			if !yield(ev, nil) {
				return
			}
		}
	})
	if err != nil || r.Finish.Reason != "stop" || r.Usage.Output == 0 {
		t.Fatalf("%+v, %v", r.Finish, err)
	}
	return r.Text
}

func lastAnswer(t testing.TB, c *client.Client, session string) (text string) {
	t.Helper()
	for m, err := range c.ListMessagesAll(t.Context(), session, nil) {
		if err != nil {
			t.Fatal(err)
		}
		text = m.Content.String()
	}
	return text
}

// TestResumeEverywhere cuts a finished run once, after each of its events and inside each of them.
func TestResumeEverywhere(t *testing.T) {
	_, key := newKey(t, nil)
	var at, inside int
	first := int64(0)
	p := between(t, func(n int64) (int, int, func(http.ResponseWriter)) {
		if n != first {
			return whole(n)
		}
		if at%2 == 0 {
			return at, inside, reset
		}
		return at, inside, finish
	})
	c := through(t, p, key, client.Options{})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/lorem"})
	want, _ := events(t, v.Ask(t.Context(), "Tell me something else."))
	runID := want[0].(client.Started).RunID
	for ; ; at++ {
		for _, inside = range []int{0, 1, 9, 40} { // before, in the id, in the data
			cuts := p.cuts.Load()
			first = p.streams.Load() + 1
			got, _ := events(t, c.Follow(t.Context(), runID))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("cut after %d events and %d bytes: %d events, want %d", at, inside, len(got), len(want))
			}
			if p.cuts.Load() == cuts { // beyond the end
				if at < len(want) {
					t.Fatalf("only %d events of %d were cut", at, len(want))
				}
				return
			}
		}
	}
}

// TestResumeBound: a server that takes every connection and says nothing is not asked for ever, but a turn that makes its way is.
func TestResumeBound(t *testing.T) {
	_, key := newKey(t, nil)
	p := between(t, func(n int64) (int, int, func(http.ResponseWriter)) {
		if n == 1 {
			return 3, 0, reset
		}
		return 1, 3, reset // the retry line and a piece of an id
	})
	c := through(t, p, key, client.Options{MaxResumes: 4})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/lorem"})
	var attempts []int
	var failed error
	for ev, err := range v.Ask(t.Context(), "Hello?") {
		if r, ok := ev.(client.Reconnecting); ok {
			attempts = append(attempts, r.Attempt)
		}
		failed = err
	}
	var e *client.Error
	if !errors.As(failed, &e) || e.HTTPStatus() != 0 || !strings.Contains(e.Hint(), "run_") || !errors.Is(failed, sdk.ErrBroken) || fmt.Sprint(attempts) != "[1 2 3 4]" {
		t.Errorf("%v after %v", failed, attempts)
	}
	none := through(t, p, key, client.Options{MaxResumes: -1})
	if _, err := client.Collect(none.NewConversation(client.ConversationOptions{Model: "mock/lorem"}).Ask(t.Context(), "Hello?")); !errors.Is(err, sdk.ErrBroken) {
		t.Errorf("without repairs: %v", err)
	}
}

// TestNotResumed: what must not be repaired is asked for once, and its error is told.
func TestNotResumed(t *testing.T) {
	_, key := newKey(t, nil)
	var e *client.Error
	t.Run("stateless", func(t *testing.T) {
		p := between(t, func(int64) (int, int, func(http.ResponseWriter)) { return 4, 0, reset })
		r, err := client.Collect(through(t, p, key, client.Options{}).Chat(t.Context(), client.ChatRequest{Model: "mock/lorem", Messages: said("x")}))
		if !errors.As(err, &e) || !errors.Is(err, sdk.ErrBroken) || p.streams.Load() != 1 || r.Text == "" {
			t.Errorf("%v after %d streams, %q", err, p.streams.Load(), r.Text)
		}
	})
	for model, code := range map[string]string{"mock/fail-cut": "stream_broken", "mock/fail-malformed": "stream_broken"} {
		t.Run(model, func(t *testing.T) {
			p := between(t, whole)
			r, err := client.Collect(through(t, p, key, client.Options{}).NewConversation(client.ConversationOptions{Model: model}).Ask(t.Context(), "x"))
			if !errors.As(err, &e) || e.ErrorCode() != code || e.HTTPStatus() != 200 || p.streams.Load() != 1 || r.Text == "" {
				t.Errorf("%v after %d streams, %q", err, p.streams.Load(), r.Text)
			}
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		c := connect(t, client.Options{BaseURL: under.URL, APIKey: key, MaxRetries: -1})
		r, err := client.Collect(c.NewConversation(client.ConversationOptions{Model: "mock/fail-429"}).Ask(t.Context(), "x"))
		if !errors.As(err, &e) || e.HTTPStatus() != 429 || r.Text != "" {
			t.Errorf("%d %v, %+v", e.HTTPStatus(), err, r)
		}
	})
	t.Run("gone", func(t *testing.T) {
		c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
		if _, err := client.Collect(c.Follow(t.Context(), "run_none")); !errors.As(err, &e) || e.HTTPStatus() != 404 {
			t.Error(err)
		}
	})
}

// TestSilence: a session's stream on which nothing comes is taken up on a new connection, and the answer is whole.
func TestSilence(t *testing.T) {
	_, key := newKey(t, nil)
	release := make(chan struct{})
	stuck := func(http.ResponseWriter) { <-release }
	p := between(t, func(n int64) (int, int, func(http.ResponseWriter)) {
		if n == 1 {
			return 5, 0, stuck
		}
		return whole(n)
	})
	defer close(release)
	c := through(t, p, key, client.Options{IdleTimeout: 300 * time.Millisecond})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/lorem"})
	all, repairs := events(t, v.Ask(t.Context(), "Are you there?"))
	if text := textOf(t, all); text != lastAnswer(t, c, v.SessionID()) || repairs == 0 {
		t.Errorf("%d repairs, %q", repairs, text)
	}
}

// TestCancel stops a run from outside while its answer is read.
func TestCancel(t *testing.T) {
	_, key := newKey(t, nil)
	c := connect(t, client.Options{BaseURL: under.URL, APIKey: key})
	v := c.NewConversation(client.ConversationOptions{Model: "mock/slow"})
	var failed error
	for ev, err := range v.Ask(t.Context(), "Tell me a long story.") {
		failed = err
		if s, ok := ev.(client.Started); ok {
			run, err := c.Cancel(t.Context(), s.RunID)
			if err != nil || run.Status != sdk.RunStatusCancelled {
				t.Fatalf("%+v, %v", run, err)
			}
		}
	}
	var e *client.Error
	if !errors.As(failed, &e) || e.ErrorCode() != "run_cancelled" {
		t.Errorf("%v", failed)
	}
}

// TestLeaving goes away early, in every way, and looks for what stays behind.
func TestLeaving(t *testing.T) {
	_, key := newKey(t, nil)
	p := between(t, whole)
	c := connect(t, client.Options{BaseURL: p.URL, APIKey: key})
	for i := range 10 {
		for range c.Chat(t.Context(), client.ChatRequest{Model: "mock/slow", Messages: said("x")}) {
			break
		}
		for ev, err := range c.NewConversation(client.ConversationOptions{Model: "mock/slow"}).Ask(t.Context(), "x") {
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := ev.(client.TextDelta); ok {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var failed error
		for ev, err := range c.NewConversation(client.ConversationOptions{Model: "mock/slow"}).Ask(ctx, fmt.Sprint(i)) {
			failed = err
			if _, ok := ev.(client.TextDelta); ok {
				cancel()
			}
		}
		if cancel(); !errors.Is(failed, context.Canceled) {
			t.Fatalf("cancelled: %v", failed)
		}
	}
	c.CloseIdle()
	waitFor(t, "the client's connections to end", func() bool { return p.open.Load() == 0 })
	waitFor(t, "the client's goroutines to end", func() bool {
		var stacks strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		return !strings.Contains(stacks.String(), "clawless/client.") && !strings.Contains(stacks.String(), "clawless/sdk.")
	})
}

// waitFor polls until ok, at most for ten seconds.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
