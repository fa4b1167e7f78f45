package llmtest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// Exercise runs a driver against a loopback server that answers with the vendor's own bytes from fixtures (the driver's testdata folder), whole and then broken in
// every way a connection breaks, and sends every parameter to see whether it is honoured or refused. A driver without fixtures fails. It returns what was seen.
func Exercise(t *testing.T, drv llm.Driver, fixtures fs.FS) *Report {
	t.Helper()
	set := load(t, fixtures)
	rep := &Report{Driver: drv.Name, Behaviour: map[string]string{}}
	t.Run("answers", func(t *testing.T) { answers(t, drv, set, rep) })
	t.Run("errors", func(t *testing.T) { failures(t, drv, set, rep) })
	t.Run("forms", func(t *testing.T) { forms(t, drv, set, rep) })
	rep.saw(rowCuts, t.Run("cuts", func(t *testing.T) { cuts(t, drv, set) }))
	rep.saw(rowSilence, t.Run("silence", func(t *testing.T) { silence(t, drv, set) }))
	rep.saw(rowCancel, t.Run("cancelling", func(t *testing.T) { cancelling(t, drv, set) }))
	rep.saw(rowLeave, t.Run("behaviour", func(t *testing.T) {
		r := start(t, drv, set, 0, func(w http.ResponseWriter, r *http.Request) {
			name := "chat.response.json"
			if wantsStream(r) {
				name = "chat.stream.sse"
			}
			reply(name, http.StatusOK, set.files[name])(w, r)
		})
		Behaves(t, r.provider, *request(true))
	}))
	t.Run("models", func(t *testing.T) { models(t, drv, set, rep) })
	t.Run("embeddings", func(t *testing.T) { embeddings(t, drv, set, rep) })
	t.Run("parameters", func(t *testing.T) { rep.Columns = conform(t, drv, set) })
	return rep
}

func answers(t *testing.T, drv llm.Driver, set *fixtureSet, rep *Report) {
	for name, want := range set.expect.Answers {
		passed := t.Run(name, func(t *testing.T) {
			stream := strings.HasSuffix(name, ".sse")
			r := start(t, drv, set, 0, func(w http.ResponseWriter, req *http.Request) {
				if wantsStream(req) != stream {
					t.Errorf("the request asks for a stream: %v", !stream)
				}
				reply(name, http.StatusOK, set.files[name])(w, req)
			})
			got := r.ask(t, stream)
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			calls := []string(nil)
			for _, c := range got.Calls {
				calls = append(calls, c.Function.Name+"("+c.Function.Arguments+")")
			}
			if got.Text != want.Text || got.Reasoning != want.Reasoning || got.Finish != want.Finish || got.Model != want.Model || !slices.Equal(calls, want.Calls) {
				t.Errorf("got  %q, reasoning %q, calls %q, %s by %s\nwant %q, reasoning %q, calls %q, %s by %s", got.Text, got.Reasoning, calls, got.Finish, got.Model,
					want.Text, want.Reasoning, want.Calls, want.Finish, want.Model)
			}
			if got.Usage == nil || *got.Usage != want.Usage {
				t.Errorf("usage %+v, want %+v", got.Usage, want.Usage)
			}
		})
		rep.sawAnswer(name, &want, passed)
	}
}

func failures(t *testing.T, drv llm.Driver, set *fixtureSet, rep *Report) {
	for name, want := range set.expect.Errors {
		passed := t.Run(name, func(t *testing.T) {
			status := statusOf(name)
			r := start(t, drv, set, 0, reply(name, status, set.files[name]))
			for _, stream := range []bool{true, false} {
				if strings.HasSuffix(name, ".sse") && !stream {
					continue
				}
				got := r.ask(t, stream)
				if got.Err == nil || got.Err.Class != want {
					t.Fatalf("got %v, want %s", got.Err, want)
				}
				if status != http.StatusOK && got.Err.Status != status {
					t.Errorf("status %d, want %d", got.Err.Status, status)
				}
				if status == http.StatusTooManyRequests && got.Err.RetryAfter != 2*time.Second {
					t.Errorf("Retry-After was read as %v", got.Err.RetryAfter)
				}
				if s := got.Err.Error(); strings.Contains(s, testKey) || strings.Contains(s, "<html") {
					t.Errorf("the error repeats the key or the page: %s", s)
				}
			}
		})
		rep.sawError(name, want, passed)
	}
	rep.saw(rowPage, t.Run("a page in place of an answer", func(t *testing.T) {
		page := []byte("<html><body><h1>502 Bad Gateway</h1></body></html>")
		for status, want := range map[int]llm.Class{http.StatusBadGateway: llm.ClassServer, http.StatusServiceUnavailable: llm.ClassOverloaded, http.StatusOK: llm.ClassBroken} {
			if got := start(t, drv, set, 0, reply("page.html", status, page)).ask(t, true); got.Err == nil || got.Err.Class != want {
				t.Errorf("%d: got %v, want %s", status, got.Err, want)
			}
		}
	}))
}

// forms sends the chat stream in other forms that mean the same.
func forms(t *testing.T, drv llm.Driver, set *fixtureSet, rep *Report) {
	want := set.expect.Answers["chat.stream.sse"].Text
	plain := set.files["chat.stream.sse"]
	long := strings.Repeat("é", 2<<20)
	tests := []struct {
		name string
		body []byte
		size int
		text string
	}{
		{"CRLF", bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")), len(plain) * 2, want},
		{"CR", bytes.ReplaceAll(plain, []byte("\n"), []byte("\r")), len(plain), want},
		{"comments", bytes.ReplaceAll(plain, []byte("data: "), []byte(": keep-alive\n\n: data: {}\ndata: ")), len(plain) * 2, want},
		{"no space after the colon", bytes.ReplaceAll(plain, []byte("data: "), []byte("data:")), len(plain), want},
		{"byte by byte", plain, 1, want},
		{"seven bytes at a time", plain, 7, want},
		{"line separators of Unicode", bytes.Replace(plain, []byte(set.expect.Needle), []byte("\u2028\u2029\u0085"), 1), 3, strings.Replace(want, set.expect.Needle, "\u2028\u2029\u0085", 1)},
		{"a line of 4 MiB", bytes.Replace(plain, []byte(set.expect.Needle), []byte(long), 1), 1 << 20, strings.Replace(want, set.expect.Needle, long, 1)},
	}
	for _, tt := range tests {
		rep.saw(rowForms, t.Run(tt.name, func(t *testing.T) {
			got := start(t, drv, set, 0, pieces(tt.body, tt.size, nil)).ask(t, true)
			if got.Err != nil || got.Text != tt.text {
				t.Errorf("got %.80q (%d bytes), %v", got.Text, len(got.Text), got.Err)
			}
		}))
	}
	rep.saw(rowEndless, t.Run("a stream without an end", func(t *testing.T) {
		r := start(t, drv, set, 0, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for {
				if _, err := w.Write([]byte(": nothing to see here, and no end of it\n\n")); err != nil {
					return
				}
			}
		})
		if got := r.ask(t, true); got.Err == nil || got.Err.Class != llm.ClassBroken {
			t.Errorf("got %v", got.Err)
		}
	}))
}

// cuts ends every good stream after every byte, in order and by tearing the connection, and the chat stream at some places over a real one: before the finish of the
// chat stream there must be an error, and what came must be a beginning of the answer.
func cuts(t *testing.T, drv llm.Driver, set *fixtureSet) {
	c := &canned{kind: "text/event-stream"}
	p := c.provider(t, drv)
	for name, want := range set.expect.Answers {
		if !strings.HasSuffix(name, ".sse") {
			continue
		}
		complete := 0
		if name == "chat.stream.sse" {
			complete = set.complete()
		}
		for at := range set.files[name] {
			c.body = set.files[name][:at]
			for _, c.torn = range []bool{false, true} {
				checkCut(t, Collect(t, p.Stream(t.Context(), request(true))), &want, name, at, complete)
			}
		}
	}
	plain, at, torn := set.files["chat.stream.sse"], 0, false
	want := set.expect.Answers["chat.stream.sse"]
	r := start(t, drv, set, 0, func(w http.ResponseWriter, req *http.Request) {
		var end func(http.ResponseWriter, *http.Request)
		if torn {
			end = tear
		}
		pieces(plain[:at], len(plain), end)(w, req)
	})
	for at = 0; at < len(plain); at += 1 + len(plain)/50 {
		for _, torn = range []bool{false, true} {
			checkCut(t, r.ask(t, true), &want, "chat.stream.sse over a connection", at, set.complete())
		}
	}
}

func checkCut(t *testing.T, got Answer, want *ExpectAnswer, name string, at, complete int) {
	t.Helper()
	if !strings.HasPrefix(want.Text, got.Text) || !strings.HasPrefix(want.Reasoning, got.Reasoning) {
		t.Fatalf("%s cut at %d: got %q, thinking %q", name, at, got.Text, got.Reasoning)
	}
	if at < complete && got.Err == nil {
		t.Errorf("%s cut at %d of %d: the answer passes for complete", name, at, complete)
	}
	if got.Err == nil && (got.Finish != want.Finish || got.Text != want.Text || len(got.Calls) != len(want.Calls)) {
		t.Errorf("%s cut at %d: half an answer passes for complete: %+v", name, at, got)
	}
	if got.Err != nil && got.Err.Class != llm.ClassBroken {
		t.Errorf("%s cut at %d: got %v", name, at, got.Err)
	}
}

// silence stops sending without closing.
func silence(t *testing.T, drv llm.Driver, set *fixtureSet) {
	plain := set.files["chat.stream.sse"]
	for name, n := range map[string]int{"after the headers": 0, "in the middle": set.complete() / 2} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			r := start(t, drv, set, 100*time.Millisecond, pieces(plain[:n], len(plain), func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				close(gone)
			}))
			if got := r.ask(t, true); got.Err == nil || got.Err.Class != llm.ClassTimeout {
				t.Errorf("got %v", got.Err)
			}
			within(t, gone, "the server did not see that the call was given up")
		})
	}
}

// cancelling hangs up in three ways and checks that the server sees it within a second.
func cancelling(t *testing.T, drv llm.Driver, set *fixtureSet) {
	plain := set.files["chat.stream.sse"][:set.complete()-1]
	hold := func(arrived, gone chan struct{}, n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			wait := func(_ http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-r.Context().Done()
				close(gone)
			}
			if n == 0 {
				wait(w, r)
				return
			}
			pieces(plain[:n], n, wait)(w, r)
		}
	}
	for name, n := range map[string]int{"before the headers": 0, "in the middle": len(plain)} {
		for _, stream := range []bool{true, false} {
			if n > 0 && !stream {
				continue
			}
			t.Run(fmt.Sprintf("%s, stream %v", name, stream), func(t *testing.T) {
				arrived, gone := make(chan struct{}), make(chan struct{})
				r := start(t, drv, set, 0, hold(arrived, gone, n))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					<-arrived
					cancel()
				}()
				if got := Collect(t, r.provider.Stream(ctx, request(stream))); got.Err == nil || got.Err.Class != llm.ClassCanceled {
					t.Errorf("got %v", got.Err)
				}
				within(t, gone, "the server did not see the cancellation")
			})
		}
	}
	t.Run("the reader leaves", func(t *testing.T) {
		arrived, gone := make(chan struct{}), make(chan struct{})
		r := start(t, drv, set, 0, hold(arrived, gone, len(plain)))
		for _, err := range r.provider.Stream(t.Context(), request(true)) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		within(t, gone, "the server did not see that the reader left")
	})
}

func within(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Error(otherwise + " within a second")
	}
}

func models(t *testing.T, drv llm.Driver, set *fixtureSet, rep *Report) {
	r := start(t, drv, set, 0, reply("", http.StatusOK, nil))
	lister, ok := r.provider.(llm.ModelLister)
	if !ok {
		t.Skip("the driver lists no models")
	}
	if len(set.files["models.json"]) == 0 {
		t.Fatal("the driver lists models and lacks the fixture models.json")
	}
	list, err := lister.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range list {
		got = append(got, m.ID)
	}
	if !slices.Equal(got, set.expect.Models) {
		t.Errorf("got %q, want %q", got, set.expect.Models)
	}
	rep.saw(rowModels, !t.Failed())
}
