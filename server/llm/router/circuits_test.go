package router

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// exhaust has a caller ask until a/m is left alone for him.
func exhaust(t *testing.T, r *Router, caller string) {
	t.Helper()
	for n := 0; r.Cooling("a/m", caller) == 0; n++ {
		if n > outOf {
			t.Fatalf("%s: still let in", caller)
		}
		streamAs(t, r, caller, "a/m")
	}
}

// temper is a provider that fails or answers, as a test says, and counts its calls.
func temper() (r *Router, p *script, set func(turn func(func(llm.Chunk, error) bool))) {
	p = &script{name: "a"}
	set = func(turn func(func(llm.Chunk, error) bool)) { p.turns = []func(func(llm.Chunk, error) bool){turn} }
	set(fails(llm.ClassServer))
	return New([]llm.Provider{p}, Options{Log: quiet()}), p, set
}

// TestOneCallerAlone: whose requests make a server fail shuts out himself, however often he comes back, and nobody else.
func TestOneCallerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, set := temper()
		exhaust(t, r, "crafty")
		for round := range 6 {
			set(fails(llm.ClassServer))
			streamAs(t, r, "crafty", "a/m")
			before := p.calls
			if _, _, fail := streamAs(t, r, "crafty", "a/m"); p.calls != before || fail == nil || fail.Class != llm.ClassOverloaded {
				t.Errorf("round %d: he is let in: %v", round, fail)
			}
			if got := r.Circuits(); len(got) != 1 || got[0].Callers != 1 || got[0].All || got[0].State != "open" {
				t.Errorf("round %d: %+v", round, got)
			}
			set(works("fine"))
			if _, text, fail := streamAs(t, r, "other", "a/m"); text != "fine" || r.Cooling("a/m", "other") != 0 || r.Cooling("a/m", "") != 0 {
				t.Errorf("round %d: another caller: %q, %v", round, text, fail)
			}
			wait(r.Cooling("a/m", "crafty"))
		}
	})
}

// TestTwoCallers: what two callers have met closes the model to everybody; one stranger at a time tries it, and his answer lets all in.
func TestTwoCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, set := temper()
		exhaust(t, r, "one")
		exhaust(t, r, "two")
		before := p.calls
		c, _, fail := streamAs(t, r, "three", "a/m")
		if p.calls != before || fail == nil || fail.Class != llm.ClassOverloaded || fail.RetryAfter <= 0 || fail.RetryAfter > coolings[0] || c.Attempts[0].Skipped != SkippedCooling {
			t.Errorf("a stranger is let in: %v", fail)
		}
		if got := r.Circuits(); len(got) != 1 || got[0].Callers != 2 || !got[0].All || got[0].State != "open" {
			t.Errorf("%+v", got)
		}
		wait(r.Cooling("a/m", "three"))
		if got := r.Circuits(); got[0].State != "half_open" || !got[0].Until.IsZero() || !got[0].All {
			t.Errorf("once it may be tried: %+v", got)
		}
		before = p.calls
		streamAs(t, r, "three", "a/m")
		streamAs(t, r, "three", "a/m")
		streamAs(t, r, "four", "a/m")
		if p.calls != before+1 || r.Cooling("a/m", "four") != coolings[1] || r.Cooling("a/m", "three") != coolings[0] || r.Circuits()[0].Callers != 3 {
			t.Errorf("after a stranger failed: %d calls, %+v", p.calls-before, r.Circuits())
		}
		wait(coolings[1])
		set(works("fine"))
		if _, text, fail := streamAs(t, r, "four", "a/m"); text != "fine" {
			t.Errorf("the stranger who tries: %v", fail)
		}
		if got := r.Circuits(); len(got) != 1 || got[0].All || got[0].Callers != 3 || r.Cooling("a/m", "five") != 0 {
			t.Errorf("after his answer: %+v", got)
		}
		for _, caller := range []string{"five", "one", "two", "three"} {
			if _, text, fail := streamAs(t, r, caller, "a/m"); text != "fine" {
				t.Errorf("%s: %v", caller, fail)
			}
		}
		if got := r.Circuits(); len(got) != 0 {
			t.Errorf("at last: %+v", got)
		}
		set(fails(llm.ClassServer))
		exhaust(t, r, "one")
		exhaust(t, r, "two")
		if got := r.Cooling("a/m", "six"); got != coolings[0] {
			t.Errorf("after whole answers it opens for %v", got)
		}
	})
}

// TestOwnProbe: a caller whose circuit may be tried tries it while the model is closed to all, and his answer opens it to all; his failure is his own.
func TestOwnProbe(t *testing.T) {
	for name, turn := range map[string]func(func(llm.Chunk, error) bool){"answer": works("fine"), "failure": fails(llm.ClassServer)} {
		synctest.Test(t, func(t *testing.T) {
			r, p, set := temper()
			exhaust(t, r, "one")
			wait(20 * time.Second)
			exhaust(t, r, "two")
			wait(r.Cooling("a/m", "one"))
			left := r.Cooling("a/m", "stranger")
			before := p.calls
			set(turn)
			streamAs(t, r, "one", "a/m")
			want := left
			if name == "answer" {
				want = 0
			}
			if got := r.Cooling("a/m", "stranger"); left <= 0 || p.calls != before+1 || got != want {
				t.Errorf("%s: %d calls, closed to strangers for %v, before %v", name, p.calls-before, got, left)
			}
		})
	}
}

// TestAnswersSpeakForTheModel: once somebody was answered, circuits that stayed open are their callers' affair, and one who comes back to fail closes nothing to others.
func TestAnswersSpeakForTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, set := temper()
		exhaust(t, r, "crafty")
		exhaust(t, r, "gone")
		wait(coolings[0])
		set(works("fine"))
		streamAs(t, r, "honest", "a/m")
		for round := range 5 {
			set(fails(llm.ClassServer))
			wait(r.Cooling("a/m", "crafty"))
			streamAs(t, r, "crafty", "a/m")
			if r.Cooling("a/m", "crafty") == 0 || r.Cooling("a/m", "honest") != 0 {
				t.Errorf("round %d: crafty %v, honest %v", round, r.Cooling("a/m", "crafty"), r.Cooling("a/m", "honest"))
			}
		}
	})
	synctest.Test(t, func(t *testing.T) { // and without an answer, a circuit that nobody tries is forgotten
		r, _, _ := temper()
		exhaust(t, r, "gone")
		wait(coolings[0] + coolings[2])
		exhaust(t, r, "crafty")
		if got := r.Cooling("a/m", "honest"); got != 0 {
			t.Errorf("closed for %v", got)
		}
	})
}

// TestStaleStranger: a stranger who tries while the model answers somebody else closes it to nobody but himself.
func TestStaleStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, set := temper()
		exhaust(t, r, "one")
		exhaust(t, r, "two")
		wait(coolings[0])
		target, _ := r.direct("a/m")
		late, _, ok := r.circuits.enter(target, "stranger")
		if _, soon, second := r.circuits.enter(target, "another"); !ok || second || soon != probeWait {
			t.Errorf("one is let in: %v, and then another: %v, %v", ok, second, soon)
		}
		set(works("fine"))
		streamAs(t, r, "one", "a/m")
		late.settle(&llm.Error{Class: llm.ClassTimeout}, false)
		if r.Cooling("a/m", "another") != 0 || r.Cooling("a/m", "stranger") != coolings[0] {
			t.Errorf("another %v, the stranger %v", r.Cooling("a/m", "another"), r.Cooling("a/m", "stranger"))
		}
	})
}

// TestManyCallers: callers cost no memory without bound, and a healthy model costs none at all.
func TestManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, set := temper()
		set(fails(llm.ClassBroken, "x"))
		for i := range 3000 {
			streamAs(t, r, fmt.Sprint("caller-", i), fmt.Sprint("a/m", i%7))
		}
		n := 0
		for _, m := range r.circuits.byID {
			n += len(m.callers)
		}
		if n != maxCircuits || r.circuits.n != n {
			t.Errorf("%d circuits, counted %d", n, r.circuits.n)
		}
	})
	r, _, _ := temper()
	target, _ := r.direct("a/healthy")
	if n := testing.AllocsPerRun(100, func() {
		p, _, _ := r.circuits.enter(target, "caller")
		p.begun()
		p.settle(nil, true)
	}); n != 0 {
		t.Errorf("a healthy model costs %v allocations", n)
	}
}

// moody fails at random; it may be called at the same time.
type moody struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func (*moody) Name() string { return "a" }

func (m *moody) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []func(func(llm.Chunk, error) bool){works("x"), fails(llm.ClassBroken, "x"), fails(llm.ClassServer), fails(llm.ClassInvalid)}[m.rnd.IntN(4)]
}

// TestCallersAtOnce runs callers beside each other; at the end, whoever waits long enough is let in again.
func TestCallersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New([]llm.Provider{&moody{rnd: rand.New(rand.NewPCG(3, 4))}}, Options{Log: quiet()})
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				for range 150 {
					streamAs(t, r, fmt.Sprint(i%8), fmt.Sprint("a/", i%2))
					r.Circuits()
					wait(time.Duration(i+1) * time.Second)
				}
			})
		}
		wg.Wait()
		wait(coolings[2])
		for i := range 9 {
			if got := r.Cooling("a/0", fmt.Sprint(i)); got != 0 {
				t.Errorf("caller %d waits for %v", i, got)
			}
		}
	})
}
