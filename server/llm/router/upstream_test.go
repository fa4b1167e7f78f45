package router_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/openai"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/llm/router/upstreamtest"
)

// limits are those of the providers in these tests.
var limits = llm.Config{First: 10 * time.Second, Idle: 3 * time.Second, Answer: 20 * time.Second}

// open makes a router over one provider "lab" at the server, with the real driver, once for each key.
func open(t *testing.T, s *upstreamtest.Server, keys ...string) *router.Router {
	t.Helper()
	cfg := limits
	cfg.Name, cfg.BaseURL, cfg.Client, cfg.Log = "lab", s.URL, s.Client, slog.New(slog.DiscardHandler)
	if len(keys) == 0 {
		keys = []string{"sk-one"}
	}
	var list []llm.Provider
	for _, key := range keys {
		cfg.APIKey = key
		p, err := openai.Driver.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return router.New(list, router.Options{Log: cfg.Log})
}

// answer is what came of a call.
type answer struct {
	*router.Call
	text string
	done bool
	fail *llm.Error
	took time.Duration
}

func (a answer) String() string {
	return fmt.Sprintf("%q, complete: %v, %v, after %v in %d attempts", a.text, a.done, a.fail, a.took, len(a.Attempts))
}

// ask streams from the models in order.
func ask(ctx context.Context, t *testing.T, r *router.Router, models ...string) answer {
	t.Helper()
	out := answer{Call: &router.Call{Request: &llm.Request{Stream: true}}}
	for _, m := range models {
		target, err := r.Resolve(ctx, "lab/"+m)
		if err != nil {
			t.Fatal(err)
		}
		out.Targets = append(out.Targets, target)
	}
	start := time.Now()
	for chunk, err := range r.Stream(ctx, out.Call) {
		if out.fail != nil {
			t.Error("something came after the error")
		}
		out.text += chunk.Text
		out.done = out.done || chunk.FinishReason != ""
		out.fail = llm.AsError(err)
	}
	out.took = time.Since(start)
	return out
}

// class is the class of a failure, empty for none.
func class(e *llm.Error) llm.Class {
	if e == nil {
		return ""
	}
	return e.Class
}

// TestRetryAfter: what the provider asks for is kept up to a minute in all; more is not waited for, but told.
func TestRetryAfter(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	tests := []struct {
		name     string
		waits    []string // Retry-After of the refusals before the answer
		calls    int
		least    time.Duration
		most     time.Duration
		class    llm.Class
		passedOn time.Duration
	}{
		{"none", []string{""}, 2, 0, 500 * time.Millisecond, "", 0},
		{"zero", []string{"0"}, 2, 0, 500 * time.Millisecond, "", 0},
		{"negative", []string{"-1"}, 2, 0, 500 * time.Millisecond, "", 0},
		{"a second", []string{"1"}, 2, time.Second, time.Second, "", 0},
		{"a date", []string{"date 3s"}, 2, 3 * time.Second, 3 * time.Second, "", 0},
		{"a date that is over", []string{"date -1h"}, 2, 0, 500 * time.Millisecond, "", 0},
		{"twice", []string{"20", "30"}, 3, 50 * time.Second, 50 * time.Second, "", 0},
		{"more than a minute in all", []string{"40", "30"}, 2, 40 * time.Second, 40 * time.Second, llm.ClassRateLimit, 30 * time.Second},
		{"more than a minute", []string{"61"}, 1, 0, 0, llm.ClassRateLimit, 61 * time.Second},
		{"absurd", []string{"1e9"}, 1, 0, 0, llm.ClassRateLimit, time.Hour},
		{"three times", []string{"1", "1", "1"}, 3, 2 * time.Second, 2 * time.Second, llm.ClassRateLimit, time.Second},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := upstreamtest.NewInMemory(t)
			var script []upstreamtest.Reply
			for _, w := range tt.waits {
				if text, ok := strings.CutPrefix(w, "date "); ok {
					d, err := time.ParseDuration(text)
					if err != nil {
						t.Fatal(err)
					}
					w = date(d)
				}
				script = append(script, upstreamtest.Failure(429, w, "slow down"))
			}
			s.On("m", append(script, upstreamtest.Words("fine"))...)
			a := ask(t.Context(), t, open(t, s), "m")
			if len(s.Calls("m")) != tt.calls || a.took < tt.least || a.took > tt.most || class(a.fail) != tt.class || (a.fail == nil) != (a.text == "fine" && a.done) {
				t.Errorf("%s: %v, %d calls", tt.name, a, len(s.Calls("m")))
			}
			if f := router.Fault(toError(a.fail)); f != nil && (f.Code != fault.RateLimited || f.RetryAfter != tt.passedOn) {
				t.Errorf("%s: the tenant sees %v after %v", tt.name, f, f.RetryAfter)
			}
		})
	}
}

func toError(e *llm.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// TestFaults: each misbehaviour of a server, with nothing else to turn to and with a second model.
func TestFaults(t *testing.T) {
	fine := upstreamtest.Words("fi", "ne")
	tests := []struct {
		name   string
		script []upstreamtest.Reply
		text   string
		class  llm.Class
		calls  int
		most   time.Duration
		second string // the text with a second model, which always says "other"
	}{
		{"refused and fine", []upstreamtest.Reply{upstreamtest.Failure(503, "", "later"), fine}, "fine", "", 2, 500 * time.Millisecond, "other"},
		{"refused for good", []upstreamtest.Reply{upstreamtest.Failure(500, "", "no")}, "", llm.ClassServer, 3, 1500 * time.Millisecond, "other"},
		{"overloaded inside a 200", []upstreamtest.Reply{upstreamtest.Inside("overloaded_error"), fine}, "fine", "", 2, 500 * time.Millisecond, "other"},
		{"overloaded after a word", []upstreamtest.Reply{upstreamtest.Inside("overloaded_error", "a "), fine}, "a ", llm.ClassOverloaded, 1, 0, "a "},
		{"hangs before the headers", []upstreamtest.Reply{upstreamtest.Silent(), fine}, "fine", "", 2, 10500 * time.Millisecond, "other"},
		{"hangs for good", []upstreamtest.Reply{upstreamtest.Silent()}, "", llm.ClassTimeout, 3, 31500 * time.Millisecond, "other"},
		{"goes silent", []upstreamtest.Reply{upstreamtest.Silent("a ", "b"), fine}, "a b", llm.ClassTimeout, 1, 3 * time.Second, "a b"},
		{"trickles", []upstreamtest.Reply{upstreamtest.Trickle(5 * time.Second), fine}, "fine", "", 2, 10500 * time.Millisecond, "other"},
		{"torn before a word", []upstreamtest.Reply{upstreamtest.Recorded("data: {", 3), fine}, "fine", "", 2, 500 * time.Millisecond, "other"},
		{"ends without a word", []upstreamtest.Reply{{upstreamtest.Streaming()}, fine}, "fine", "", 2, 500 * time.Millisecond, "other"},
		{"ends after a word", []upstreamtest.Reply{{upstreamtest.Streaming(), upstreamtest.Write(upstreamtest.Frame("a"))}, fine}, "a", llm.ClassBroken, 1, 0, "a"},
		{"no such model", []upstreamtest.Reply{upstreamtest.Failure(404, "", "no"), fine}, "", llm.ClassNotFound, 1, 0, "other"},
		{"refuses the key", []upstreamtest.Reply{upstreamtest.Failure(401, "", "no"), fine}, "", llm.ClassAuth, 1, 0, "other"},
		{"wants money", []upstreamtest.Reply{upstreamtest.Failure(402, "", "no"), fine}, "", llm.ClassBilling, 1, 0, "other"},
		{"refuses the request", []upstreamtest.Reply{upstreamtest.Failure(400, "", "no"), fine}, "", llm.ClassInvalid, 1, 0, ""},
		{"refuses the content", []upstreamtest.Reply{upstreamtest.Failure(451, "", "no"), fine}, "", llm.ClassRefused, 1, 0, ""},
		{"finds it too long", []upstreamtest.Reply{upstreamtest.Failure(400, "", "maximum context length"), fine}, "", llm.ClassContext, 1, 0, ""},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := upstreamtest.NewInMemory(t)
			s.On("m", tt.script...)
			a := ask(t.Context(), t, open(t, s), "m")
			if a.text != tt.text || class(a.fail) != tt.class || len(s.Calls("m")) != tt.calls || len(a.Attempts) != tt.calls || a.took > tt.most {
				t.Errorf("%s: %v", tt.name, a)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			s := upstreamtest.NewInMemory(t)
			s.On("m", tt.script...)
			s.On("n", upstreamtest.Words("oth", "er"))
			a := ask(t.Context(), t, open(t, s), "m", "n")
			if a.text != tt.second || len(s.Calls("m")) != 1 || (len(s.Calls("n")) == 1) != (tt.second == "other") || a.took > 10*time.Second {
				t.Errorf("%s, with another model: %v", tt.name, a)
			}
			if used := a.Used.ID; tt.second == "other" && used != "lab/n" || tt.second == "" && used != "" {
				t.Errorf("%s: used %s", tt.name, used)
			}
		})
	}
}

// TestCutAtEveryByte: a recorded stream that is torn after any of its bytes gives the beginning of its text and an error, or the whole of it, or nothing of it and
// the second model's whole answer.
func TestCutAtEveryByte(t *testing.T) {
	raw, err := os.ReadFile("../openai/testdata/chat.stream.sse")
	if err != nil {
		t.Fatal(err)
	}
	stream := string(raw)
	s := upstreamtest.New(t)
	s.On("other", upstreamtest.Words("oth", "er"))
	s.On("m", upstreamtest.Recorded(stream, len(stream)))
	whole := ask(t.Context(), t, open(t, s), "m")
	if !whole.done || whole.fail != nil || whole.text == "" {
		t.Fatalf("the recording: %v", whole)
	}
	step := 1
	if testing.Short() {
		step = 17
	}
	seen := map[string]int{}
	for n := 0; n < len(stream); n += step {
		s.On("m", upstreamtest.Recorded(stream, n))
		a := ask(t.Context(), t, open(t, s), "m", "other")
		switch {
		case a.fail == nil && a.done && a.text == "other" && a.Used.ID == "lab/other" && len(a.Attempts) == 2:
			seen["fallback"]++
		case a.fail == nil && a.done && a.text == whole.text && len(a.Attempts) == 1:
			seen["whole"]++
		case a.fail != nil && a.fail.Class == llm.ClassBroken && !a.done && strings.HasPrefix(whole.text, a.text) && a.Used.ID == "lab/m" && len(a.Attempts) == 1:
			seen["cut"]++
		default:
			t.Errorf("cut after %d bytes: %v", n, a)
		}
	}
	if seen["fallback"] == 0 || seen["whole"] == 0 || seen["cut"] == 0 {
		t.Errorf("not all outcomes were seen: %v", seen)
	}
}

// TestEndless: a stream and a line without end are cut at their caps.
func TestEndless(t *testing.T) {
	s := upstreamtest.New(t)
	s.On("stream", upstreamtest.Endless(strings.Repeat("x", 1<<20)))
	s.On("line", upstreamtest.Reply{upstreamtest.Streaming(), upstreamtest.Write("data: "), upstreamtest.Until(upstreamtest.Write(strings.Repeat("x", 1<<20)))})
	r := open(t, s)
	if a := ask(t.Context(), t, r, "stream"); class(a.fail) != llm.ClassBroken || len(a.text) > 64<<20 || len(a.text) < 60<<20 || !strings.Contains(a.fail.Message, "64 MiB") {
		t.Errorf("stream: %d bytes, %v", len(a.text), a.fail)
	}
	if a := ask(t.Context(), t, r, "line"); class(a.fail) != llm.ClassBroken || a.text != "" || !strings.Contains(a.fail.Message, "8 MiB") || len(a.Attempts) != 3 {
		t.Errorf("line: %v", a)
	}
}

// TestCancelEndsWaiting: a caller who leaves waits for nothing, neither for the provider nor for its Retry-After.
func TestCancelEndsWaiting(t *testing.T) {
	for name, reply := range map[string]upstreamtest.Reply{
		"a call": upstreamtest.Silent(), "a Retry-After": upstreamtest.Failure(429, "50", "slow down"), "a date": upstreamtest.Failure(503, "Sat, 01 Jan 2000 00:00:50 GMT", "later"),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := upstreamtest.NewInMemory(t)
			s.On("m", reply)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			a := ask(ctx, t, open(t, s), "m")
			if class(a.fail) != llm.ClassCanceled || a.took != 5*time.Second || len(a.Attempts) != 1 {
				t.Errorf("%s: %v", name, a)
			}
		})
	}
}

// TestEmbedTriesAgain: vectors have the same retries, keys and circuit.
func TestEmbedTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := upstreamtest.NewInMemory(t)
		s.On("e", upstreamtest.Failure(401, "", "no"), upstreamtest.Failure(503, "2", "later"), upstreamtest.Vectors(0.5, 1))
		r := open(t, s, "sk-one", "sk-two")
		target, err := r.Resolve(t.Context(), "lab/e")
		if err != nil {
			t.Fatal(err)
		}
		out, attempts, err := r.Embed(t.Context(), target, "ten_1", &llm.EmbedRequest{Input: []string{"x"}})
		if err != nil || len(out.Vectors) != 1 || len(attempts) != 3 || attempts[0].Key != 1 || attempts[2].Key != 2 || attempts[2].Usage.Input != 7 {
			t.Errorf("%+v, %+v, %v", out, attempts, err)
		}
		s.On("e", upstreamtest.Failure(500, "", "no"))
		for range 5 {
			if _, _, err = r.Embed(t.Context(), target, "ten_1", &llm.EmbedRequest{Input: []string{"x"}}); class(llm.AsError(err)) != llm.ClassServer {
				t.Errorf("got %v", err)
			}
		}
		if _, attempts, err = r.Embed(t.Context(), target, "ten_1", &llm.EmbedRequest{Input: []string{"x"}}); class(llm.AsError(err)) != llm.ClassOverloaded || attempts[0].Skipped != router.SkippedCooling {
			t.Errorf("its circuit is not open: %v, %+v", err, attempts)
		}
		s.On("e", upstreamtest.Vectors(0.5, 1))
		if _, _, err = r.Embed(t.Context(), target, "ten_2", &llm.EmbedRequest{Input: []string{"x"}}); err != nil {
			t.Errorf("one caller's failures close the model to another: %v", err)
		}
	})
}
