package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/engine"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/mock"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/tenants"
)

const addedTokens = 200

// instant is a router whose answers are there at once, so that what is measured is ours.
type instant struct{ *router.Router }

func (instant) Stream(_ context.Context, call *router.Call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		call.Used = call.Targets[0]
		for range addedTokens {
			if !yield(llm.Chunk{Text: " word"}, nil) {
				return
			}
		}
		call.Attempts = append(call.Attempts, router.Attempt{Target: call.Used, Key: 1, Duration: time.Millisecond})
		yield(llm.Chunk{FinishReason: llm.FinishStop, Usage: &llm.Usage{Input: 40, Output: addedTokens}}, nil)
	}
}

// BenchmarkAdded measures what routing, metering and the receipt add to an answer of 200 tokens whose model is chosen: the plan with its score, the watch over the
// answer, and the receipt as JSON. What the store takes is not in it; the gateway's tables have that.
func BenchmarkAdded(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	p, err := mock.Driver.New(llm.Config{Name: "mock", Log: log})
	if err != nil {
		b.Fatal(err)
	}
	r := instant{router.New([]llm.Provider{p}, router.Options{Log: log, Lookup: func(_, model string) (catalog.Info, bool) { return catalog.Default().Find("mock", "mock", model) }})}
	c := New(nil, r, runs.NewHub(time.Minute, 1<<20), Options{Log: log, Rules: func() policy.Rules {
		return policy.Rules{Weak: "mock/small", Strong: "mock/large", StrongShare: 0.3}
	}})
	prompts := []string{
		"What is the capital of France?",
		"Write a function in Go that merges overlapping intervals, explain why it is correct, and give its complexity.",
		"A patient has had a cough for three weeks. Which questions would you ask, and which tests would you order first? Answer step by step.",
	}
	t := tenants.Tenant{ID: "ten_1", Tier: tenants.Enterprise}
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req := &dialect.Request{Model: "auto", Stream: true, Messages: []llm.Message{{Role: "user", Content: llm.Text(prompts[i%len(prompts)])}}}
		start := time.Now()
		one(b, c, t, req)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(int(share*float64(len(took))), len(took)-1)].Nanoseconds()) / 1e6
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// one is a call between its admission and its settlement.
func one(b *testing.B, c *Chat, t tenants.Tenant, req *dialect.Request) {
	p, err := c.planner.Plan(b.Context(), plan.Turn{Tenant: t, Request: req, Messages: req.Messages, Input: dialect.Prompt(req.Messages, nil).Tokens()})
	if err != nil {
		b.Fatal(err)
	}
	k := &engine.Call{Tenant: t, RequestID: "req_1", Req: &llm.Request{Stream: true}}
	k.Decide(p)
	k.Send(req.Messages)
	c.planner.Note(t.ID, p)
	k.Answer = dialect.NewAnswer(ids.New(ids.Request), k.Target.ID, time.Now())
	k.Answer.Brief()
	if err := c.engine.Relay(b.Context(), k, func(llm.Chunk, error) bool { return true }); err != nil {
		b.Fatal(err)
	}
	receipt, err := json.Marshal(k.Answer.Receipt())
	if err != nil || k.Answer.Finish != llm.FinishStop || len(receipt) < 300 {
		b.Fatal(fmt.Sprint("no whole answer: ", string(receipt), err))
	}
}
