package router

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// The numbers of a retry. They hold for one target of one call; nothing below or above the router tries again, so they never multiply.
const (
	maxCalls  = 3                      // of one target, besides one for every further key
	firstWait = 500 * time.Millisecond // the longest first wait; the real one is anything from zero to it
	lastWait  = 4 * time.Second        // where the doubling ends
	maxWait   = time.Minute            // of all waits of a call, whatever the provider asks for
	patience  = 90 * time.Second       // a call that is older than this is not tried again
)

// try is the outcome of one try at a target: nil fail is an answer or a reader who left.
type try struct {
	fail  *llm.Error
	again bool // another one is worth its wait
}

// retries is the policy of retries: exponential backoff with full jitter, which is half the backoff, give or take all of that half.
func retries(steady bool) retrypolicy.RetryPolicy[try] {
	b := retrypolicy.NewBuilder[try]().HandleIf(func(t try, _ error) bool { return t.again }).
		WithMaxAttempts(maxCalls).WithBackoff(firstWait/2, lastWait/2).ReturnLastFailure()
	if !steady {
		b = b.WithJitterFactor(1)
	}
	return b.Build()
}

// walk goes along the targets of one call.
type walk struct {
	router *Router
	ctx    context.Context
	call   *Call
	yield  func(llm.Chunk, error) bool
	embed  *llm.EmbedRequest // instead of the call's request and yield
	start  time.Time

	req     *llm.Request // as the present target gets it
	vectors *llm.Embeddings
	shown   bool          // a chunk was yielded
	left    bool          // the reader ended the range
	waited  time.Duration // of all waits so far
	turns   int           // from one key to another, at the present target
	tries   int           // at the present target
}

// run tries the targets in order and returns what the caller is told when none answered.
func (w *walk) run() *llm.Error {
	var told, refused *llm.Error // of a target that was called, of one that was not
	var window int64             // of the largest target that found the conversation too long; -1 before there is one
	window = -1
	w.start = time.Now()
	for i, t := range w.call.Targets {
		if window >= 0 && t.Info.ContextWindow <= window {
			w.skip(t, SkippedContext, nil)
			continue
		}
		var no *llm.Error
		if w.req, no = w.request(t); no != nil {
			w.skip(t, SkippedUnsupported, no)
			refused = keep(refused, no)
			continue
		}
		calls := len(w.call.Attempts)
		fail := w.target(t, i)
		if fail == nil || w.shown || w.left {
			return fail
		}
		called := len(w.call.Attempts) > calls && w.call.Attempts[calls].Skipped == ""
		if called && !unsupported(fail) {
			told = telling(told, fail)
		} else {
			refused = keep(refused, fail)
		}
		if called && unsupported(fail) && i+1 < len(w.call.Targets) {
			w.passOver()
		}
		if !falls(fail) || w.ctx.Err() != nil {
			break
		}
		if fail.Class == llm.ClassContext {
			window = max(window, t.Info.ContextWindow)
		}
	}
	switch {
	case w.ctx.Err() != nil && (told == nil || told.Class != llm.ClassCanceled):
		return &llm.Error{Class: llm.ClassCanceled, Err: context.Cause(w.ctx)}
	case told != nil:
		return told
	case refused != nil:
		return refused
	}
	return &llm.Error{Class: llm.ClassInvalid, Message: "there is no model to ask"}
}

// falls reports whether the next target may do better: not where the request is at fault or the caller is gone. A parameter that the target does not have is its own
// affair. For one that is too long, run looks closer.
func falls(e *llm.Error) bool {
	return unsupported(e) || e.Class != llm.ClassInvalid && e.Class != llm.ClassRefused && e.Class != llm.ClassCanceled
}

// unsupported reports whether the target does not have a parameter that the request needs: its driver says so before it calls, or the provider does in the same words.
func unsupported(e *llm.Error) bool {
	return e.Class == llm.ClassInvalid && e.Code == string(fault.UnsupportedParam)
}

// passOver turns the last attempt into a target that was passed over, as if it had been known before that it cannot have the request.
func (w *walk) passOver() {
	a := &w.call.Attempts[len(w.call.Attempts)-1]
	a.Key, a.Skipped = 0, SkippedUnsupported
}

// telling chooses between the failures of two targets that were called. The first one is about the model that was asked for and stays; only a problem of our account
// there, which says nothing to the caller, gives way to a later failure of another kind.
func telling(first, later *llm.Error) *llm.Error {
	account := func(e *llm.Error) bool { return e.Class == llm.ClassAuth || e.Class == llm.ClassBilling }
	if first == nil || account(first) && !account(later) {
		return later
	}
	return first
}

// keep chooses between the reasons why two targets were not called: the one that will be tried again first, else the first one.
func keep(first, later *llm.Error) *llm.Error {
	if first == nil || later.RetryAfter > 0 && (first.RetryAfter == 0 || later.RetryAfter < first.RetryAfter) {
		return later
	}
	return first
}

func (w *walk) request(t Target) (*llm.Request, *llm.Error) {
	if w.call.For == nil {
		return w.call.Request, nil
	}
	return w.call.For(t)
}

func (w *walk) skip(t Target, why string, fail *llm.Error) {
	w.call.Attempts = append(w.call.Attempts, Attempt{Target: t, Skipped: why, Start: time.Now(), Err: fail})
}

// target tries one target until it answers, or until another try there is not worth its wait. Only a failure pays for the machinery of retries.
func (w *walk) target(t Target, i int) *llm.Error {
	w.turns, w.tries = 0, 0
	last := w.try(t, i)
	if !last.again {
		return last.fail
	}
	at, begun := time.Now(), false
	out, err := failsafe.With(w.router.retry).WithContext(w.ctx).Get(func() (try, error) {
		if !begun {
			begun = true // the first try is behind us
			return last, nil
		}
		if !w.rest(at.Add(last.fail.RetryAfter)) {
			return try{fail: w.canceled(t)}, nil
		}
		w.waited += time.Since(at)
		last = w.try(t, i)
		at = time.Now()
		return last, nil
	})
	if err != nil {
		return w.canceled(t)
	}
	return out.fail
}

// rest waits for what is left of a Retry-After once the backoff is over. It reports false when the caller went away.
func (w *walk) rest(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

func (w *walk) canceled(t Target) *llm.Error {
	return &llm.Error{Class: llm.ClassCanceled, Provider: t.Provider.Name(), Err: context.Cause(w.ctx)}
}

// try calls a target once, and once more with every key that is at hand while the failure is the key's. It settles each pass.
func (w *walk) try(t Target, i int) try {
	e := w.router.byName[t.Provider.Name()]
	if e == nil {
		e = &entry{provider: t.Provider, keys: []*key{{provider: t.Provider}}} // a target that was not resolved here
	}
	w.tries++
	for n := e.pick(t.Model); ; {
		pass, wait, ok := w.router.circuits.enter(t, w.call.Caller)
		if !ok {
			return try{fail: w.cooling(t, wait)}
		}
		fail := w.once(t, e.keys[n], n, &pass)
		if fail == nil || w.shown || w.left {
			if !w.left {
				pass.settle(fail, fail == nil)
			}
			return try{fail: fail}
		}
		n = -1
		if rotates(fail.Class) && w.turns < len(e.keys)-1 && w.ctx.Err() == nil {
			n = e.fresh(t.Model)
		}
		if n < 0 {
			// A probe gets no second chance, and a circuit counts what a target came to in the end, not every try: one call must not open it.
			again := pass.probe == nil && w.tries < maxCalls && w.worth(t, fail, i)
			if !again {
				pass.settle(fail, false)
			}
			return try{fail: fail, again: again}
		}
		pass.settle(fail, false)
		w.turns++
	}
}

// cooling is the failure of a target whose circuit is open.
func (w *walk) cooling(t Target, wait time.Duration) *llm.Error {
	w.skip(t, SkippedCooling, nil)
	return &llm.Error{Class: llm.ClassOverloaded, Provider: t.Provider.Name(), Message: "left alone for a while after repeated failures", RetryAfter: wait}
}

// worth reports whether another try at the same target is worth its wait: the failure may pass, the wait is bearable, and no later target could be asked at once.
func (w *walk) worth(t Target, fail *llm.Error, i int) bool {
	switch fail.Class {
	case llm.ClassServer, llm.ClassOverloaded, llm.ClassRateLimit, llm.ClassUnreachable, llm.ClassTimeout, llm.ClassBroken:
	default:
		return false
	}
	if fail.Status >= 300 && fail.Status < 400 { // a redirect elsewhere is a wrong setting, and stays one
		return false
	}
	if w.ctx.Err() != nil || w.waited+fail.RetryAfter > maxWait || time.Since(w.start) > patience || w.router.Cooling(t.ID, w.call.Caller) > 0 {
		return false
	}
	for _, later := range w.call.Targets[i+1:] {
		if w.router.Cooling(later.ID, w.call.Caller) > 0 {
			continue
		}
		if _, no := w.request(later); no == nil {
			return false
		}
	}
	return true
}

// once is one call of one provider with one key, with all that is to be noted about it.
func (w *walk) once(t Target, k *key, n int, pass *pass) (fail *llm.Error) {
	a := Attempt{Target: t, Key: n + 1, Start: time.Now()}
	whole := false
	defer func() { // also when the reader panics
		a.Duration, a.Err = max(time.Since(a.Start), a.First), fail
		if fail != nil || whole {
			k.settle(t.Model, fail)
		} else {
			pass.settle(nil, false) // the reader left
		}
		w.call.Attempts = append(w.call.Attempts, a)
		if fail != nil {
			w.router.log(w.ctx, &a)
		}
		if w.router.opts.OnAttempt != nil {
			w.router.opts.OnAttempt(a)
		}
	}()
	if w.embed != nil {
		fail = w.vectorize(k.provider, &a)
	} else {
		fail = w.attempt(k.provider, &a, pass)
	}
	whole = fail == nil && !a.Left
	return fail
}
