package router

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// every class there is, and no failure.
var classes = []llm.Class{llm.ClassAuth, llm.ClassBilling, llm.ClassRateLimit, llm.ClassOverloaded, llm.ClassServer, llm.ClassUnreachable, llm.ClassTimeout, llm.ClassBroken,
	llm.ClassContext, llm.ClassRefused, llm.ClassInvalid, llm.ClassNotFound}

// chance is a chain of targets with keys whose calls do this and that.
type chance struct {
	targets, keys int
	scripts       []*script
	call          *Call
	router        *Router
}

func newChance(t *testing.T, rnd *rand.Rand) *chance {
	t.Helper()
	c := &chance{targets: 1 + rnd.IntN(4), keys: 1 + rnd.IntN(3), call: &Call{Request: &llm.Request{}}}
	var list []llm.Provider
	for i := range c.targets {
		for k := range c.keys {
			s := &script{name: string(rune('a' + i))}
			for n := range 12 {
				var words []string
				for w := range rnd.IntN(4) {
					words = append(words, fmt.Sprintf("[%s%d.%d.%d]", s.name, k, n, w))
				}
				turn := works(append(words, "[end]")...)
				if rnd.IntN(4) > 0 {
					if rnd.IntN(2) == 0 {
						words = nil
					}
					turn = fails(classes[rnd.IntN(len(classes))], words...)
				}
				s.turns = append(s.turns, turn)
			}
			c.scripts, list = append(c.scripts, s), append(list, s)
		}
	}
	c.router = New(list, Options{Log: quiet()})
	for i := range c.targets {
		target, _ := c.router.direct(string(rune('a'+i)) + "/m")
		c.call.Targets = append(c.call.Targets, target)
	}
	return c
}

// counts are the calls that the providers got and those that the attempts name.
func (c *chance) counts() (got, named int) {
	for _, s := range c.scripts {
		got += s.calls
	}
	for _, a := range c.call.Attempts {
		if a.Skipped == "" {
			named++
		}
	}
	return got, named
}

// TestNoSplice runs random chains of targets that fail at random: what is shown is always the beginning of one call's text, an error ends it, and the calls are
// bounded.
func TestNoSplice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	outcomes := map[string]int{}
	for round := range 3000 {
		synctest.Test(t, func(t *testing.T) {
			c := newChance(t, rnd)
			leave, text, after, failed, finished, n := rnd.IntN(12), "", 0, false, false, 0
			for chunk, err := range c.router.Stream(t.Context(), c.call) {
				if failed {
					after++
				}
				failed = failed || err != nil
				finished = finished || chunk.FinishReason != ""
				text += chunk.Text
				if n++; n == leave+1 && round%5 == 0 {
					break
				}
			}
			sources := map[string]bool{}
			for _, part := range strings.SplitAfter(text, "]") {
				if i := strings.LastIndex(part, "."); i > 0 {
					sources[part[:i]] = true
				}
			}
			calls, named := c.counts()
			if len(sources) > 1 || after > 0 || failed && finished || strings.Count(text, "[end]") > 1 || calls != named || calls > c.targets-1+maxCalls+c.targets*(c.keys-1) {
				t.Errorf("round %d: %q, %d after the error, failed %v, finished %v, %d calls of %d targets with %d keys: %+v", round, text, after, failed, finished, calls, c.targets, c.keys, c.call.Attempts)
			}
			if shown := text != "" || finished; shown != (c.call.Used.ID != "") || shown && c.call.Attempts[len(c.call.Attempts)-1].Target.ID != c.call.Used.ID {
				t.Errorf("round %d: used %q for %q", round, c.call.Used.ID, text)
			}
			outcomes[fmt.Sprint(failed, finished, text != "")]++
		})
	}
	if len(outcomes) < 4 {
		t.Errorf("the scripts are too tame: %v", outcomes)
	}
}

// TestFullJitter: the waits are spread from zero to the whole of the backoff, which doubles.
func TestFullJitter(t *testing.T) {
	most, least := [2]time.Duration{}, [2]time.Duration{time.Hour, time.Hour}
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}}
			c, _, _ := stream(t, New([]llm.Provider{p}, Options{Log: quiet()}), "a/m")
			for i := range 2 {
				d := c.Attempts[i+1].Start.Sub(c.Attempts[i].Start)
				most[i], least[i] = max(most[i], d), min(least[i], d)
			}
		})
	}
	for i, limit := range []time.Duration{firstWait, 2 * firstWait} {
		if most[i] > limit || most[i] < limit*9/10 || least[i] > limit/10 {
			t.Errorf("wait %d is from %v to %v, of %v", i+1, least[i], most[i], limit)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassServer)}}
		c, _, _ := stream(t, New([]llm.Provider{p}, Options{Log: quiet(), steady: true}), "a/m")
		if a := c.Attempts; a[1].Start.Sub(a[0].Start) != firstWait/2 || a[2].Start.Sub(a[1].Start) != firstWait {
			t.Errorf("without jitter: %+v", a)
		}
	})
}

// TestKeysTakeOver: a key that is refused or limited is left alone for its time, and the first good one serves.
func TestKeysTakeOver(t *testing.T) {
	for _, tt := range []struct {
		class llm.Class
		after time.Duration
		cools time.Duration
	}{
		{llm.ClassAuth, 0, 5 * time.Minute}, {llm.ClassBilling, 0, 5 * time.Minute}, {llm.ClassRateLimit, 0, 30 * time.Second}, {llm.ClassRateLimit, 90 * time.Second, 90 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			bad := func(yield func(llm.Chunk, error) bool) {
				yield(llm.Chunk{}, &llm.Error{Class: tt.class, Provider: "a", RetryAfter: tt.after})
			}
			one := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){bad, works("one")}}
			two := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){works("two")}}
			r := New([]llm.Provider{one, two}, Options{Log: quiet()})
			start := time.Now()
			c, text, fail := stream(t, r, "a/m")
			if text != "two" || fail != nil || len(c.Attempts) != 2 || c.Attempts[0].Key != 1 || c.Attempts[1].Key != 2 || time.Since(start) != 0 {
				t.Errorf("%s: %q, %v, %+v", tt.class, text, fail, c.Attempts)
			}
			whole := Keys{1, 1}
			if tt.class == llm.ClassRateLimit { // which is the model's
				whole = Keys{2, 0}
			}
			if h := r.Health(t.Context())[0]; h.Keys != whole {
				t.Errorf("%s: %+v", tt.class, h.Keys)
			}
			wait(tt.cools - time.Millisecond)
			if _, text, _ = stream(t, r, "a/m"); text != "two" {
				t.Errorf("%s: %q while it cools", tt.class, text)
			}
			wait(time.Millisecond)
			if _, text, _ = stream(t, r, "a/m"); text != "one" || r.Health(t.Context())[0].Keys != (Keys{2, 0}) {
				t.Errorf("%s: %q once it has cooled", tt.class, text)
			}
		})
	}
}

// TestAllKeysCooling: the key that is good again first is used all the same.
func TestAllKeysCooling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassAuth)}}
		two := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){fails(llm.ClassRateLimit), fails(llm.ClassRateLimit), fails(llm.ClassRateLimit), works("two")}}
		r := New([]llm.Provider{one, two}, Options{Log: quiet()})
		if c, _, fail := stream(t, r, "a/m"); fail == nil || fail.Class != llm.ClassRateLimit || one.calls != 1 || two.calls != 3 || len(c.Attempts) != 4 {
			t.Errorf("%v, %d and %d calls", fail, one.calls, two.calls)
		}
		if _, text, _ := stream(t, r, "a/m"); text != "two" || one.calls != 1 || r.Health(t.Context())[0].Keys != (Keys{1, 1}) {
			t.Errorf("got %q, %+v", text, r.Health(t.Context())[0].Keys)
		}
	})
}

// TestKeysTakeTurnsOnce: keys that are limited for next to no time do not send a call round for ever.
func TestKeysTakeTurnsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := func(yield func(llm.Chunk, error) bool) {
			wait(time.Millisecond)
			yield(llm.Chunk{}, &llm.Error{Class: llm.ClassRateLimit, Provider: "a", RetryAfter: time.Nanosecond})
		}
		one, two := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){busy}}, &script{name: "a", turns: []func(func(llm.Chunk, error) bool){busy}}
		if c, _, fail := stream(t, New([]llm.Provider{one, two}, Options{Log: quiet()}), "a/m"); fail == nil || len(c.Attempts) != maxCalls+1 {
			t.Errorf("%v, %d calls", fail, len(c.Attempts))
		}
	})
}

// TestPatience: a call that has taken long already is not tried again.
func TestPatience(t *testing.T) {
	for took, want := range map[time.Duration]int{20 * time.Second: 3, patience: 2, patience + time.Second: 1} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(yield func(llm.Chunk, error) bool) {
				wait(took)
				yield(llm.Chunk{}, &llm.Error{Class: llm.ClassTimeout, Provider: "a"})
			}
			if c, _, _ := stream(t, New([]llm.Provider{&script{name: "a", turns: []func(func(llm.Chunk, error) bool){slow}}}, Options{Log: quiet()}), "a/m"); len(c.Attempts) != want {
				t.Errorf("calls of %v: %d", took, len(c.Attempts))
			}
		})
	}
}

// chainTests are chains of models at the providers a, b and c.
var chainTests = []struct {
	name  string
	fails []llm.Class // of the targets in order; empty: it answers
	names string      // of the models
	text  string
	class llm.Class // that is told
	from  string    // and the provider that it names
	trace string    // provider and what was done
}{
	{"the first answers", []llm.Class{"", ""}, "m m", "a", "", "", "a1"},
	{"the second answers", []llm.Class{llm.ClassServer, ""}, "m m", "b", "", "", "a1 b1"},
	{"the third answers", []llm.Class{llm.ClassAuth, llm.ClassNotFound, ""}, "m m m", "c", "", "", "a1 b1 c1"},
	{"the first is told", []llm.Class{llm.ClassOverloaded, llm.ClassServer}, "m m", "", llm.ClassOverloaded, "a", "a1 b1 b1 b1"},
	{"no such model is told", []llm.Class{llm.ClassNotFound, llm.ClassServer}, "m m", "", llm.ClassNotFound, "a", "a1 b1 b1 b1"},
	{"our account gives way", []llm.Class{llm.ClassAuth, llm.ClassBilling, llm.ClassOverloaded}, "m m m", "", llm.ClassOverloaded, "c", "a1 b1 c1 c1 c1"},
	{"our account alone", []llm.Class{llm.ClassBilling, llm.ClassAuth}, "m m", "", llm.ClassBilling, "a", "a1 b1"},
	{"the request ends it", []llm.Class{llm.ClassInvalid, ""}, "m m", "", llm.ClassInvalid, "a", "a1"},
	{"the content ends it", []llm.Class{llm.ClassRefused, ""}, "m m", "", llm.ClassRefused, "a", "a1"},
	{"too long for the small, not for the large", []llm.Class{llm.ClassContext, "", ""}, "small small large", "c", "", "", "a1 b:context_window c1"},
	{"too long for all", []llm.Class{llm.ClassContext, ""}, "large small", "", llm.ClassContext, "a", "a1 b:context_window"},
	{"a driver refuses a parameter", []llm.Class{lacking, ""}, "m m", "b", "", "", "a:unsupported b1"},
	{"two drivers refuse", []llm.Class{lacking, lacking, ""}, "m m m", "c", "", "", "a:unsupported b:unsupported c1"},
	{"all drivers refuse", []llm.Class{lacking, lacking}, "m m", "", llm.ClassInvalid, "a", "a:unsupported b1"},
	{"a driver refuses alone", []llm.Class{lacking}, "m", "", llm.ClassInvalid, "a", "a1"},
	{"one failed, the last refuses", []llm.Class{llm.ClassServer, lacking}, "m m", "", llm.ClassServer, "a", "a1 b1"},
	{"one refuses, the last failed", []llm.Class{lacking, llm.ClassServer}, "m m", "", llm.ClassServer, "b", "a:unsupported b1 b1 b1"},
	{"one refuses, the request ends it", []llm.Class{lacking, llm.ClassInvalid, ""}, "m m m", "", llm.ClassInvalid, "b", "a:unsupported b1"},
	{"passed over", []llm.Class{"", ""}, "unfit m", "b", "", "", "a:unsupported b1"},
	{"passed over and failed", []llm.Class{"", llm.ClassBroken}, "unfit m", "", llm.ClassBroken, "b", "a:unsupported b1 b1 b1"},
	{"nothing fits", []llm.Class{"", ""}, "unfit unfit", "", llm.ClassInvalid, "a", "a:unsupported b:unsupported"},
	{"tried again where nothing else fits", []llm.Class{llm.ClassBroken, ""}, "m unfit", "", llm.ClassBroken, "a", "a1 a1 a1 b:unsupported"},
	{"cooling", []llm.Class{"", ""}, "cooling m", "b", "", "", "a:cooling b1"},
	{"all cooling", []llm.Class{"", ""}, "cooling cooling", "", llm.ClassOverloaded, "b", "a:cooling b:cooling"},
	{"tried again where the rest is cooling", []llm.Class{llm.ClassTimeout, ""}, "m cooling", "", llm.ClassTimeout, "a", "a1 a1 a1 b:cooling"},
}

// lacking stands for a driver's refusal of a parameter.
const lacking llm.Class = "lacking"

// unfit is a For that refuses the models of that name.
func unfit(t Target) (*llm.Request, *llm.Error) {
	if t.Model == "unfit" {
		return nil, &llm.Error{Class: llm.ClassInvalid, Provider: t.Provider.Name(), Param: "tools"}
	}
	return &llm.Request{}, nil
}

// newChain makes the providers, which fail with these classes, and brings the circuits of the models named cooling about.
func newChain(failures []llm.Class, names string) (*Router, *Call) {
	var list []llm.Provider
	for i, c := range failures {
		name := string(rune('a' + i))
		turn := works(name)
		if c != "" {
			fail := llm.Error{Class: c, Provider: name}
			if c == lacking {
				fail = llm.Error{Class: llm.ClassInvalid, Provider: name, Status: 400, Code: "unsupported_parameter", Param: "seed"}
			}
			turn = func(yield func(llm.Chunk, error) bool) { yield(llm.Chunk{}, &fail) }
		}
		list = append(list, &script{name: name, turns: []func(func(llm.Chunk, error) bool){turn}})
	}
	windows := map[string]int64{"small": 1000, "large": 2000}
	r := New(list, Options{Log: quiet(), Lookup: func(_, model string) (catalog.Info, bool) { return catalog.Info{ContextWindow: windows[model]}, true }})
	call := &Call{Request: &llm.Request{}, For: unfit}
	for i, model := range strings.Fields(names) {
		target, _ := r.direct(list[i].Name() + "/" + model)
		call.Targets = append(call.Targets, target)
		for model == "cooling" && r.Cooling(target.ID, "") == 0 {
			p, _, _ := r.circuits.enter(target, "")
			p.settle(&llm.Error{Class: llm.ClassServer}, false)
		}
		if model == "cooling" {
			wait(time.Second) // the later target is tried again later
		}
	}
	if names == "cooling cooling" { // and then the second is nearer
		r.circuits.byID["a/cooling"].callers[""].breaker = newBreaker(coolings[2])
		r.circuits.byID["a/cooling"].callers[""].breaker.Open()
	}
	return r, call
}

// TestChain: which target comes next, which are passed over, and which failure is told.
func TestChain(t *testing.T) {
	for _, tt := range chainTests {
		synctest.Test(t, func(t *testing.T) {
			r, call := newChain(tt.fails, tt.names)
			text, trace := "", []string{}
			var fail *llm.Error
			for chunk, err := range r.Stream(t.Context(), call) {
				text, fail = text+chunk.Text, llm.AsError(err)
			}
			for _, a := range call.Attempts {
				step := a.Target.Provider.Name() + "1"
				if a.Skipped == SkippedUnsupported && (a.Err == nil || a.Err.Param == "" || a.Key != 0) {
					t.Errorf("%s: it was passed over for nothing: %+v", tt.name, a)
				}
				if a.Skipped != "" {
					step = a.Target.Provider.Name() + ":" + a.Skipped
				}
				trace = append(trace, step)
			}
			told := llm.Error{}
			if fail != nil {
				told = *fail
			}
			if text != tt.text || told.Class != tt.class || told.Provider != tt.from || strings.Join(trace, " ") != tt.trace || call.Attempts[0].Target.Known != true {
				t.Errorf("%s: %q, %v, %s", tt.name, text, fail, trace)
			}
		})
	}
}

// TestPanics: what is to be noted is noted, and a probe does not stay out for good, whoever panics.
func TestPanics(t *testing.T) {
	for name, turn := range map[string]func(func(llm.Chunk, error) bool){"the reader": works("x"), "the driver": func(func(llm.Chunk, error) bool) { panic("the driver") }} {
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			p := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){turn, works("fine")}}
			r := New([]llm.Provider{p}, Options{Log: quiet(), OnAttempt: func(Attempt) { attempts++ }})
			target, _ := r.direct("a/m")
			for r.Cooling("a/m", "") == 0 {
				pass, _, _ := r.circuits.enter(target, "")
				pass.settle(&llm.Error{Class: llm.ClassServer}, false)
			}
			wait(30 * time.Second)
			func() {
				defer func() { _ = recover() }()
				for range r.Stream(t.Context(), &Call{Targets: []Target{target}, Request: &llm.Request{}}) {
					panic("the reader")
				}
			}()
			if _, text, fail := stream(t, r, "a/m"); text != "fine" || fail != nil || attempts != 2 {
				t.Errorf("%s: %d attempts, then %q, %v", name, attempts, text, fail)
			}
		})
	}
}
