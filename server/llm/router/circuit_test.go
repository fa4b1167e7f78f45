package router

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// script is a provider that does something else at each call; the last one is repeated.
type script struct {
	name  string
	turns []func(yield func(llm.Chunk, error) bool)
	calls int
}

func (s *script) Name() string { return s.name }

func (s *script) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] {
	turn := s.turns[min(s.calls, len(s.turns)-1)]
	s.calls++
	return turn
}

// fails is a call that says some words and then fails with the class.
func fails(c llm.Class, words ...string) func(func(llm.Chunk, error) bool) {
	return func(yield func(llm.Chunk, error) bool) {
		for _, w := range words {
			if !yield(llm.Chunk{Text: w}, nil) {
				return
			}
		}
		yield(llm.Chunk{}, &llm.Error{Class: c, Provider: "a"})
	}
}

// works is a call that says some words and is complete.
func works(words ...string) func(func(llm.Chunk, error) bool) {
	return func(yield func(llm.Chunk, error) bool) {
		for _, w := range words {
			if !yield(llm.Chunk{Text: w}, nil) {
				return
			}
		}
		yield(llm.Chunk{FinishReason: llm.FinishStop}, nil)
	}
}

// stream runs a call over models by their ids and returns the text and the failure.
func stream(t *testing.T, r *Router, ids ...string) (c *Call, text string, fail *llm.Error) {
	t.Helper()
	return streamAs(t, r, "", ids...)
}

// streamAs is the same for one caller.
func streamAs(t *testing.T, r *Router, caller string, ids ...string) (c *Call, text string, fail *llm.Error) {
	t.Helper()
	c = &Call{Request: &llm.Request{Stream: true}, Caller: caller}
	for _, id := range ids {
		target, err := r.Resolve(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		c.Targets = append(c.Targets, target)
	}
	for chunk, err := range r.Stream(t.Context(), c) {
		text += chunk.Text
		fail = llm.AsError(err)
	}
	return c, text, fail
}

// wait lets time pass.
func wait(d time.Duration) { <-time.NewTimer(d).C }

// TestCircuitOpensAndCloses follows a model from its first failure to its recovery.
func TestCircuitOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}}
		r := New([]llm.Provider{p}, Options{Log: quiet()})
		for range opensAfter {
			if _, _, fail := stream(t, r, "a/m"); fail == nil || fail.Class != llm.ClassServer {
				t.Fatalf("got %v", fail)
			}
		}
		if p.calls != opensAfter*maxCalls {
			t.Errorf("%d calls until it opened", p.calls)
		}
		for i, cooling := range []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute, 5 * time.Minute} {
			before := p.calls
			wait(time.Second)
			c, _, fail := stream(t, r, "a/m")
			if p.calls != before || fail == nil || fail.Class != llm.ClassOverloaded || fail.RetryAfter != cooling-time.Second || len(c.Attempts) != 1 || c.Attempts[0].Skipped != SkippedCooling || c.Attempts[0].Key != 0 {
				t.Errorf("opening %d: %v, %+v", i, fail, c.Attempts)
			}
			if list := r.Circuits(); len(list) != 1 || list[0] != (Circuit{"a", "m", "open", time.Now().Add(cooling - time.Second), llm.ClassServer, 1, false}) || r.Cooling("a/m", "") != cooling-time.Second {
				t.Errorf("opening %d: %+v", i, list)
			}
			if _, text, fail := stream(t, r, "a/other"); text != "" || fail.Class != llm.ClassServer {
				t.Errorf("another model of the provider: %v", fail)
			}
			delete(r.circuits.byID, "a/other")
			before = p.calls
			wait(cooling - time.Second)
			if r.Cooling("a/m", "") != 0 || r.Circuits()[0].State != "half_open" || !r.Circuits()[0].Until.IsZero() {
				t.Errorf("opening %d: it may not be tried: %+v", i, r.Circuits())
			}
			if _, _, fail = stream(t, r, "a/m"); p.calls != before+1 || fail.Class != llm.ClassServer {
				t.Errorf("opening %d: the probe made %d calls, %v", i, p.calls-before, fail)
			}
		}
		p.turns = []func(func(llm.Chunk, error) bool){works("fine")}
		wait(5 * time.Minute)
		if _, text, fail := stream(t, r, "a/m"); text != "fine" || fail != nil || len(r.Circuits()) != 0 {
			t.Errorf("the probe: %q, %v, %+v", text, fail, r.Circuits())
		}
		p.turns = []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}
		for r.Cooling("a/m", "") == 0 {
			stream(t, r, "a/m")
		}
		if got := r.Cooling("a/m", ""); got != 30*time.Second {
			t.Errorf("after an answer it opens for %v", got)
		}
	})
}

// TestWhatBreaksCircuits: only failures that are the provider's count, and those after the first chunk too.
func TestWhatBreaksCircuits(t *testing.T) {
	for _, tt := range []struct {
		class llm.Class
		want  bool
	}{
		{llm.ClassServer, true}, {llm.ClassOverloaded, true}, {llm.ClassUnreachable, true}, {llm.ClassTimeout, true}, {llm.ClassBroken, true},
		{llm.ClassAuth, false}, {llm.ClassBilling, false}, {llm.ClassRateLimit, false}, {llm.ClassContext, false}, {llm.ClassRefused, false}, {llm.ClassInvalid, false},
		{llm.ClassNotFound, false}, {llm.ClassCanceled, false},
	} {
		for name, turn := range map[string]func(func(llm.Chunk, error) bool){"before": fails(tt.class), "after a word": fails(tt.class, "word")} {
			synctest.Test(t, func(t *testing.T) {
				r := New([]llm.Provider{&script{name: "a", turns: []func(func(llm.Chunk, error) bool){turn}}}, Options{Log: quiet()})
				for range opensAfter {
					stream(t, r, "a/m")
				}
				if got := r.Cooling("a/m", "") > 0; got != tt.want {
					t.Errorf("%s %s: open is %v", tt.class, name, got)
				}
			})
		}
	}
}

// TestRetriesCountOnce: a caller who gets his answer at the second or third try opens nothing.
func TestRetriesCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{name: "a"}
		for range 20 {
			p.turns = append(p.turns, fails(llm.ClassServer), fails(llm.ClassTimeout), works("fine"))
		}
		r := New([]llm.Provider{p}, Options{Log: quiet()})
		for i := range 20 {
			if _, text, fail := stream(t, r, "a/m"); text != "fine" {
				t.Fatalf("call %d: %v", i, fail)
			}
		}
	})
}

// TestHalfOfTheCalls: a model that fails every other time is left alone, one that fails rarely is not.
func TestHalfOfTheCalls(t *testing.T) {
	for every, want := range map[int]bool{2: true, 3: false} {
		synctest.Test(t, func(t *testing.T) {
			p := &script{name: "a"}
			for i := range 60 {
				turn := works("x")
				if i%every == 0 {
					turn = fails(llm.ClassBroken, "x")
				}
				p.turns = append(p.turns, turn)
			}
			r := New([]llm.Provider{p}, Options{Log: quiet()})
			opened := false
			for range 60 {
				stream(t, r, "a/m")
				opened = opened || r.Cooling("a/m", "") > 0
			}
			if opened != want {
				t.Errorf("every %d: open is %v", every, opened)
			}
		})
	}
}

// opened is a router whose circuit of a/m was open and lets the next caller try. The provider then says that it was called, waits for
// what it is to do, and does it: a failure of that class, or, for none, a word and then, once it is told again, a broken stream.
func opened(t *testing.T) (r *Router, entered chan struct{}, hold chan llm.Class) {
	t.Helper()
	p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}}
	r = New([]llm.Provider{p}, Options{Log: quiet()})
	for r.Cooling("a/m", "") == 0 {
		stream(t, r, "a/m")
	}
	wait(30 * time.Second)
	hold, entered = make(chan llm.Class), make(chan struct{}, 1)
	p.turns = []func(func(llm.Chunk, error) bool){func(yield func(llm.Chunk, error) bool) {
		entered <- struct{}{}
		if c := <-hold; c != "" {
			yield(llm.Chunk{}, &llm.Error{Class: c, Provider: "a"})
			return
		}
		if yield(llm.Chunk{Text: "word"}, nil) {
			entered <- struct{}{}
			<-hold
			yield(llm.Chunk{}, &llm.Error{Class: llm.ClassBroken, Provider: "a"})
		}
	}}
	return r, entered, hold
}

// TestOneProbe: while one caller tries, the others are told to wait; a caller who leaves learns nothing and lets the next one try.
func TestOneProbe(t *testing.T) {
	for _, c := range []llm.Class{llm.ClassCanceled, llm.ClassInvalid, llm.ClassRateLimit} {
		synctest.Test(t, func(t *testing.T) {
			r, entered, hold := opened(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				stream(t, r, "a/m")
			}()
			<-entered
			if _, _, fail := stream(t, r, "a/m"); fail == nil || fail.Class != llm.ClassOverloaded || fail.RetryAfter != probeWait {
				t.Errorf("%s: beside the probe: %v", c, fail)
			}
			hold <- c
			<-done
			if r.Cooling("a/m", "") != 0 || len(r.Circuits()) != 1 {
				t.Errorf("%s: the next one may not try: %+v", c, r.Circuits())
			}
		})
	}
}

// TestProbeBreaksOff: the first chunk of a probe lets all in, and a probe that then breaks off opens the circuit for longer.
func TestProbeBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, entered, hold := opened(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			stream(t, r, "a/m")
		}()
		<-entered
		hold <- ""
		<-entered
		if len(r.Circuits()) != 0 {
			t.Error("the first chunk did not close it")
		}
		close(hold)
		<-done
		if got := r.Cooling("a/m", ""); got != time.Minute {
			t.Errorf("the probe broke off, and it is open for %v", got)
		}
	})
}

// TestLateFailures: calls that were begun before the circuit opened do not open it again.
func TestLateFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New([]llm.Provider{&fake{name: "a"}}, Options{Log: quiet()})
		target, _ := r.direct("a/m")
		var passes []pass
		for range 40 {
			p, _, ok := r.circuits.enter(target, "")
			if !ok {
				t.Fatal("not let in")
			}
			passes = append(passes, p)
		}
		fail := &llm.Error{Class: llm.ClassTimeout}
		for _, p := range passes[:20] {
			p.settle(fail, false)
		}
		wait(30 * time.Second)
		for _, p := range passes[20:] {
			p.settle(fail, false)
		}
		if r.Cooling("a/m", "") != 0 {
			t.Errorf("open for %v", r.Cooling("a/m", ""))
		}
	})
}

// TestManyNames: names that tenants make up cost no memory without bound, and close no open circuit.
func TestManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassNotFound)}}
		r := New([]llm.Provider{p}, Options{Log: quiet()})
		for i := range 3000 {
			stream(t, r, fmt.Sprintf("a/made-up-%d", i))
		}
		if n := len(r.circuits.byID); n != 0 {
			t.Errorf("%d circuits of names that do not exist", n)
		}
		p.turns = []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}
		for r.Cooling("a/real", "") == 0 {
			stream(t, r, "a/real")
		}
		p.turns = []func(func(llm.Chunk, error) bool){fails(llm.ClassBroken, "x")}
		for i := range 3000 {
			stream(t, r, fmt.Sprintf("a/made-up-%d", i))
		}
		if n := len(r.circuits.byID); n > maxCircuits {
			t.Errorf("%d circuits", n)
		}
		if !slices.ContainsFunc(r.Circuits(), func(c Circuit) bool { return c.Model == "real" }) {
			t.Error("the open circuit is gone")
		}
	})
}
