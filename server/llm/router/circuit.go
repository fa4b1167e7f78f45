package router

import (
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/clawless/clawless/server/llm"
)

// The numbers of a circuit.
const (
	opensAfter  = 5  // failures; retries of one call count once
	outOf       = 10 // answers, counted from the first failure on
	maxCircuits = 1024
	probeWait   = time.Second // what is said of a model that another caller is trying just now
	forAll      = 2           // callers whose circuits are open close a model to everybody
)

// coolings are how long a circuit stays open, by how often it opened without a whole answer in between.
var coolings = []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute}

// breaks reports whether a failure counts against the model at its provider. Those of the request, of the account and of the caller do not, and neither do rate
// limits: their wait is the key's, and an answer that comes at the second try is still an answer.
func breaks(c llm.Class) bool {
	switch c {
	case llm.ClassServer, llm.ClassOverloaded, llm.ClassUnreachable, llm.ClassTimeout, llm.ClassBroken:
		return true
	}
	return false
}

// circuit is what is known of one model at one provider, by one caller or by all. The breaker has the state, the window of the last calls, the delay and the single
// probe; what is added is the lengthening of the delay and the end of calls that were begun before the circuit opened. The model's lock guards it.
type circuit struct {
	of      *model
	breaker circuitbreaker.CircuitBreaker[any] // nil before the circuit for all opened first
	opened  int                                // how often; a call that began before the last time says nothing about now
	row     int                                // how often without a whole answer in between
	probing bool                               // a probe is under way
	class   llm.Class                          // of the failure that opened it
	used    time.Time
	counts  time.Time // until when it is a reason to close the model to everybody
}

func newBreaker(delay time.Duration) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(opensAfter, outOf).WithSuccessThreshold(1).WithDelay(delay).Build()
}

func (c *circuit) closed() bool { return c.breaker == nil || c.breaker.IsClosed() }

// acquire asks for permission to call; probe is true when the call is the one that tries an open circuit.
func (c *circuit) acquire() (ok, probe bool) {
	if c.closed() {
		return true, false
	}
	if !c.breaker.TryAcquirePermit() {
		return false, false
	}
	c.probing = c.breaker.IsHalfOpen()
	return true, c.probing
}

// wait is for how long nobody may call.
func (c *circuit) wait() time.Duration {
	if c.closed() {
		return 0
	}
	if d := c.breaker.RemainingDelay(); d > 0 || !c.probing {
		return d
	}
	return probeWait
}

// succeeded takes in that a probe got an answer: the circuit closes, and so does the one for all.
func (c *circuit) succeeded() {
	c.breaker.RecordSuccess()
	c.probing = false
	c.of.answered(c)
}

// settle takes in the end of a call that began when the circuit had opened so many times.
func (c *circuit) settle(opened int, probe bool, fail *llm.Error, whole bool) {
	if opened != c.opened {
		return
	}
	bad := fail != nil && breaks(fail.Class)
	switch {
	case bad && probe:
		c.open(fail.Class)
	case bad:
		if c.breaker.RecordFailure(); c.breaker.IsOpen() {
			c.open(fail.Class)
		}
	case whole && c.breaker.IsHalfOpen():
		c.succeeded()
		c.row = 0
	case whole:
		c.breaker.RecordSuccess()
		c.row = 0
	case probe && c.breaker.IsHalfOpen(): // nothing was learned: the next caller may try
		c.breaker = newBreaker(0)
		c.breaker.Open()
	}
	if probe {
		c.probing = false
	}
}

// open opens the circuit for as long as it is its turn.
func (c *circuit) open(class llm.Class) {
	delay := coolings[min(c.row, len(coolings)-1)]
	c.breaker = newBreaker(delay)
	c.breaker.Open()
	c.opened++
	c.row++
	c.class = class
	c.counts = time.Now().Add(delay + coolings[len(coolings)-1])
	if c != &c.of.all {
		c.of.gather(class)
	}
}
