package engine

import (
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/tenants"
)

// stepping is a provider that asks for a tool twice and then answers; each answer takes 15 tokens.
func stepping(calls *int) lab {
	return func(call *router.Call, yield func(llm.Chunk, error) bool) {
		*calls++
		call.Attempts = append(call.Attempts, router.Attempt{Target: call.Used, Key: 1})
		answer := whole("done")
		if *calls < 3 {
			answer = repeatedCall
		}
		for _, chunk := range answer {
			if !yield(chunk, nil) {
				return
			}
		}
	}
}

// TestSteps: each step has its own line in the ledger, nothing stays reserved, and the receipt tells of the whole turn with what was spent beside it.
func TestSteps(t *testing.T) {
	n := 0
	c := newEngine(t, stepping(&n))
	k := newCall(single())
	c.admit(t, k)
	for n < 3 {
		if err := c.Relay(t.Context(), k, func(llm.Chunk, error) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if n < 3 {
			if err := c.Step(t.Context(), k, append(k.Req.Messages, pastCall[1:]...), dialect.NewAnswer("x", "lab/weak", time.Now())); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.Beside(Spent{Tokens: 100, Micros: 7})
	if k.Steps() != 3 || k.Answer.Said() != "done" || k.Turn() != (llm.Usage{Input: 30, Output: 15}) || k.Spent() != (Spent{Tokens: 145, Micros: 7}) {
		t.Errorf("%d steps, %q, %+v, %+v", k.Steps(), k.Answer.Said(), k.Turn(), k.Spent())
	}
	if r := c.Receipt(k); r.Steps != 3 || r.Tokens.Input != 30 || r.BesideTokens != 100 || *r.BesideMicros != 7 || len(r.Attempts) != 3 {
		t.Errorf("the receipt is %+v", r)
	}
	if u := c.month(t, k, nil); u.Requests != 3 || u.Used != 45 || u.Reserved != 0 {
		t.Errorf("the month is %+v", u)
	}
}

// TestStepWithoutBudget: a step that nothing is left for ends the call, and what came before is booked once.
func TestStepWithoutBudget(t *testing.T) {
	n := 0
	c := newEngine(t, stepping(&n))
	k := newCall(single())
	tokens := int64(200)
	k.Tenant.Settings = tenants.Settings{MonthlyTokens: &tokens}
	c.admit(t, k)
	if err := c.Relay(t.Context(), k, func(llm.Chunk, error) bool { return true }); err != nil {
		t.Fatal(err)
	}
	before := k.Req.Messages
	long := []llm.Message{{Role: "user", Content: llm.Text(string(make([]byte, 2000)))}}
	for what, err := range map[string]error{"step": c.Step(t.Context(), k, long, dialect.NewAnswer("x", "lab/weak", time.Now())), "resend": c.Resend(t.Context(), k, long)} {
		if !fault.Is(err, fault.QuotaExceeded) || len(k.Req.Messages) != len(before) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := k.Billed(fault.New(fault.QuotaExceeded, "")); got != (llm.Usage{Input: 10, Output: 5}) {
		t.Errorf("billed %+v", got)
	}
	if u := c.month(t, k, fault.New(fault.QuotaExceeded, "")); u.Requests != 1 || u.Used != 15 || u.Reserved != 0 {
		t.Errorf("the month is %+v", u)
	}
}

// TestResend: another prompt takes the place of what was reserved for, and no more is held.
func TestResend(t *testing.T) {
	n := 2
	c := newEngine(t, stepping(&n))
	k := newCall(single())
	c.admit(t, k)
	first := k.Hold
	if err := c.Resend(t.Context(), k, append(k.Req.Messages, pastCall...)); err != nil {
		t.Fatal(err)
	}
	if k.Hold.ID != first.ID || len(k.Req.Messages) != 1+len(pastCall) {
		t.Errorf("%+v", k.Hold)
	}
	if err := c.Relay(t.Context(), k, func(llm.Chunk, error) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if u := c.month(t, k, nil); u.Requests != 1 || u.Reserved != 0 || u.Used != 15 {
		t.Errorf("the month is %+v", u)
	}
}
