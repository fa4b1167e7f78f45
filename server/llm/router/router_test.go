package router

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// fake is a provider that says what it is told to.
type fake struct {
	name   string
	chunks []llm.Chunk
	err    error
	list   []string
	fail   error
	delay  time.Duration
	asked  atomic.Int32
	model  string // of the last call
}

func (f *fake) Name() string { return f.name }

func (f *fake) Stream(_ context.Context, req *llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		f.model = req.Model
		for _, c := range f.chunks {
			if !yield(c, nil) {
				return
			}
		}
		if f.err != nil {
			yield(llm.Chunk{}, f.err)
		}
	}
}

// lister adds the optional capability.
type lister struct{ *fake }

func (l lister) Models(ctx context.Context) ([]llm.Model, error) {
	l.asked.Add(1)
	if l.delay > 0 {
		select {
		case <-time.After(l.delay):
		case <-ctx.Done():
			return nil, &llm.Error{Class: llm.ClassTimeout, Provider: l.name, Err: ctx.Err()}
		}
	}
	if l.fail != nil {
		return nil, l.fail
	}
	var out []llm.Model
	for _, id := range l.list {
		out = append(out, llm.Model{ID: id, OwnedBy: l.name})
	}
	return out, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func ids(list []llm.Model) string {
	var out []string
	for _, m := range list {
		out = append(out, m.ID)
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	mock := lister{&fake{name: "mock", list: []string{"echo"}}}
	a := lister{&fake{name: "a", list: []string{"x", "both", "org/deep"}}}
	b := lister{&fake{name: "b", list: []string{"y", "both"}}}
	broken := lister{&fake{name: "broken", fail: errors.New("no list")}}
	silent := &fake{name: "silent"}
	aliases := map[string]string{"fast": "a/x", "bare": "y", "a/y": "b/y", "lost": "nobody", "self": "self"}
	several := []llm.Provider{mock, broken, a, b, silent}
	tests := []struct {
		name      string
		providers []llm.Provider
		model     string
		want      string // empty: model_not_found
	}{
		{"a full id", several, "b/z", "b/z"},
		{"a full id with more slashes", several, "a/org/deep", "a/org/deep"},
		{"the mock", several, "mock/echo", "mock/echo"},
		{"an alias", several, "fast", "a/x"},
		{"an alias of a bare name", several, "bare", "b/y"},
		{"an alias never hides a full id", several, "a/y", "a/y"},
		{"an alias of nothing", several, "lost", ""},
		{"an alias of itself", several, "self", ""},
		{"a bare name", several, "y", "b/y"},
		{"a bare name with a slash", several, "org/deep", "a/org/deep"},
		{"a bare name that two have", several, "both", "a/both"},
		{"a bare name of the mock", several, "echo", "mock/echo"},
		{"an unknown name", several, "gpt-9", ""},
		{"an unknown provider", several, "c/x", ""},
		{"nothing", several, "", ""},
		{"a provider without a model", several, "a/", ""},
		{"an unknown name with one provider", []llm.Provider{mock, a}, "gpt-9", "a/gpt-9"},
		{"an unknown provider with one provider", []llm.Provider{mock, a}, "org/model", "a/org/model"},
		{"the mock's name with one provider", []llm.Provider{a, mock}, "echo", "mock/echo"},
		{"an unknown name with the mock alone", []llm.Provider{mock}, "gpt-9", ""},
		{"no providers", nil, "gpt-9", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(tt.providers, Options{Aliases: aliases, Log: quiet()}).Resolve(t.Context(), tt.model)
			if tt.want == "" {
				if !fault.Is(err, fault.ModelNotFound) || got.Provider != nil {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || got.ID != tt.want || got.Provider.Name()+"/"+got.Model != tt.want {
				t.Errorf("got %+v, %v, want %s", got, err, tt.want)
			}
		})
	}
	_, err := New(several, Options{Log: quiet()}).Resolve(t.Context(), strings.Repeat("m", 5000))
	if len(fault.From(err).Message) > 300 || fault.From(err).Param != "model" {
		t.Errorf("got %v", err)
	}
}

func TestListsAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var later time.Duration
		a := lister{&fake{name: "a", list: []string{"x"}, delay: time.Second}}
		r := New([]llm.Provider{a}, Options{Log: quiet(), now: func() time.Time { return time.Now().Add(later) }})
		start := time.Now()
		for range 3 {
			if got := ids(r.Models(t.Context())); got != "a/x" {
				t.Errorf("got %q", got)
			}
		}
		if n, took := a.asked.Load(), time.Since(start); n != 1 || took != time.Second {
			t.Errorf("asked %d times in %v", n, took)
		}
		later += 61 * time.Second
		a.list, a.delay = []string{"x", "new"}, 0
		start = time.Now()
		if got := ids(r.Models(t.Context())); got != "a/x" || time.Since(start) != 0 {
			t.Errorf("a stale list must be given at once: %q after %v", got, time.Since(start))
		}
		synctest.Wait()
		if got := ids(r.Models(t.Context())); got != "a/x a/new" || a.asked.Load() != 2 {
			t.Errorf("got %q after %d questions", got, a.asked.Load())
		}
		a.fail = errors.New("down")
		for later += 61 * time.Second; later < 130*time.Second; later += 2 * time.Second {
			if got := ids(r.Models(t.Context())); got != "a/x a/new" {
				t.Errorf("a failure must not empty the list: %q", got)
			}
			synctest.Wait()
		}
		if n := a.asked.Load(); n != 3 {
			t.Errorf("a failing provider was asked %d times in eight seconds", n-2)
		}
	})
}

func TestModelsWaitsThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := lister{&fake{name: "mock", list: []string{"echo"}}}
		hung := lister{&fake{name: "hung", list: []string{"x"}, delay: time.Hour}}
		slow := lister{&fake{name: "slow", list: []string{"y"}, delay: 2 * time.Second}}
		r := New([]llm.Provider{hung, slow, &fake{name: "silent"}, mock}, Options{Aliases: map[string]string{"z": "slow/y", "fast": "slow/y"}, Log: quiet()})
		start := time.Now()
		got := r.Models(t.Context())
		if s := ids(got); s != "slow/y mock/echo fast z" || time.Since(start) != 3*time.Second {
			t.Errorf("got %q after %v", s, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := r.Resolve(ctx, "unknown"); !fault.Is(err, fault.ModelNotFound) || time.Since(start) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestCallersShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := lister{&fake{name: "a", list: []string{"x"}, delay: time.Second}}
		r := New([]llm.Provider{a}, Options{Log: quiet()})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.Models(ctx) })
		for range 20 {
			wg.Go(func() {
				if got := ids(r.Models(t.Context())); got != "a/x" {
					t.Errorf("got %q", got)
				}
			})
		}
		synctest.Wait()
		cancel() // the first caller leaves; the others still get their answer
		wg.Wait()
		if n := a.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := lister{&fake{name: "good", list: []string{"x", "y"}, delay: time.Millisecond}}
		bad := lister{&fake{name: "bad", fail: &llm.Error{Class: llm.ClassAuth, Provider: "bad", Status: 401}}}
		odd := lister{&fake{name: "odd", fail: errors.New("odd")}}
		hung := lister{&fake{name: "hung", delay: time.Hour}}
		got := New([]llm.Provider{good, bad, odd, hung, &fake{name: "silent"}}, Options{Log: quiet()}).Health(t.Context())
		var out []string
		for _, h := range got {
			class := llm.Class("")
			if h.Err != nil {
				class = h.Err.Class
			}
			out = append(out, fmt.Sprintf("%s %v %d %s %v", h.Provider, h.Checked, h.Models, class, h.Latency))
		}
		want := "good true 2  1ms, bad true 0 auth 0s, odd true 0 server 0s, hung true 0 timeout 3s, silent false 0  0s"
		if s := strings.Join(out, ", "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	})
}

func TestStream(t *testing.T) {
	usage := &llm.Usage{Input: 3, Output: 2}
	whole := []llm.Chunk{{Text: "a"}, {Text: "b"}, {FinishReason: llm.FinishStop, Usage: usage}}
	cause := &llm.Error{Class: llm.ClassServer, Provider: "a", Status: 500}
	tests := []struct {
		name  string
		p     *fake
		leave int // after so many chunks
		text  string
		class llm.Class
		left  bool
		usage *llm.Usage
		calls int
	}{
		{"a whole answer", &fake{name: "a", chunks: whole}, 0, "ab", "", false, usage, 1},
		{"a failure before", &fake{name: "a", err: cause}, 0, "", llm.ClassServer, false, nil, 3},
		{"a failure in the middle", &fake{name: "a", chunks: whole[:1], err: cause}, 0, "a", llm.ClassServer, false, nil, 1},
		{"an end without a reason", &fake{name: "a", chunks: whole[:2]}, 0, "ab", llm.ClassBroken, false, nil, 1},
		{"an error of no class", &fake{name: "a", err: errors.New("odd")}, 0, "", llm.ClassServer, false, nil, 3},
		{"a cancelled context", &fake{name: "a", err: fmt.Errorf("x: %w", context.Canceled)}, 0, "", llm.ClassCanceled, false, nil, 1},
		{"the reader leaves", &fake{name: "a", chunks: whole}, 1, "a", "", true, nil, 1},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			var attempts []Attempt
			r := New([]llm.Provider{tt.p}, Options{Log: quiet(), OnAttempt: func(a Attempt) { attempts = append(attempts, a) }})
			target, err := r.Resolve(t.Context(), "a/m/n")
			if err != nil {
				t.Fatal(err)
			}
			req := &llm.Request{Model: "a/m/n"}
			text, n := "", 0
			var class llm.Class
			for chunk, err := range r.Stream(t.Context(), &Call{Targets: []Target{target}, Request: req}) {
				if err != nil {
					class = llm.AsError(err).Class
					continue
				}
				text += chunk.Text
				if n++; n == tt.leave {
					break
				}
			}
			if text != tt.text || class != tt.class || tt.p.model != "m/n" || req.Model != "a/m/n" {
				t.Errorf("%s: got %q, %s, model %s", tt.name, text, class, tt.p.model)
			}
			if len(attempts) != tt.calls {
				t.Fatalf("%s: %d attempts", tt.name, len(attempts))
			}
			a := attempts[0]
			if a.Target.ID != "a/m/n" || a.Key != 1 || a.Left != tt.left || a.Usage != tt.usage || (a.Err == nil) != (class == "") || (a.First > 0) != (n > 0) || a.Duration < a.First {
				t.Errorf("%s: got %+v", tt.name, a)
			}
		})
	}
}

// TestSameNameTwice: it is one provider with two keys.
func TestSameNameTwice(t *testing.T) {
	first, second := &fake{name: "a"}, &fake{name: "a"}
	r := New([]llm.Provider{first, second}, Options{Log: quiet()})
	if target, err := r.Resolve(t.Context(), "a/x"); err != nil || target.Provider != llm.Provider(first) || len(r.Providers()) != 1 {
		t.Errorf("got %+v, %v, %v", target, err, r.Providers())
	}
}
