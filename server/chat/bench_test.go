package chat

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/router"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
)

// provider answers with what a test scripts; it is the router and a provider in one.
type provider func(yield func(llm.Chunk, error) bool)

func (p provider) Name() string                       { return "lab" }
func (p provider) Models(context.Context) []llm.Model { return nil }
func (p provider) Resolve(_ context.Context, model string) (router.Target, error) {
	return router.Target{Provider: inner{p}, Model: model, ID: "lab/" + model}, nil
}
func (p provider) Cooling(_, _ string) time.Duration { return 0 }
func (p provider) Stream(_ context.Context, call *router.Call) iter.Seq2[llm.Chunk, error] {
	call.Used = call.Targets[0]
	return iter.Seq2[llm.Chunk, error](p)
}

type inner struct{ provider }

func (i inner) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] {
	return iter.Seq2[llm.Chunk, error](i.provider)
}

// bench is a Chat over a database with one tenant and one session.
type bench struct {
	*Chat
	ctx     context.Context
	tenant  string
	session string
}

func newBench(t *testing.T, p provider) *bench {
	t.Helper()
	d := dbtest.New(t)
	now := time.Now()
	tenant := tenants.Tenant{ID: ids.New(ids.Tenant), Name: "acme", Tier: tenants.Starter, Status: tenants.Active, CreatedAt: db.At(now)}
	s := sessions.New(tenant.ID, now)
	err := d.Write(t.Context(), func(q db.Querier) error {
		if err := tenants.Create(t.Context(), q, tenant); err != nil {
			return err
		}
		return sessions.Insert(t.Context(), q, s)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := New(d, p, runs.NewHub(time.Minute, 1<<20), Options{SessionWait: time.Second, Node: "node_test"})
	return &bench{c, auth.With(t.Context(), auth.Principal{Kind: auth.Key, TenantID: tenant.ID, KeyID: "key_1"}), tenant.ID, s.ID}
}

func (b *bench) ask(t *testing.T, session string) *dialect.Request {
	t.Helper()
	r, err := dialect.Read(fmt.Appendf(nil, `{"model":"m","session_id":%q,"messages":[{"role":"user","content":"x"}]}`, session))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) month(t *testing.T) (u quotas.Usage) {
	t.Helper()
	err := b.db.Read(t.Context(), func(q db.Querier) (err error) {
		u, err = quotas.Month(t.Context(), q, db.TenantOf(b.tenant), quotas.Period(time.Now()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// block makes the store take no more writes until the returned function is called.
func (b *bench) block() (release func()) {
	begun, end, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_ = b.db.Write(context.Background(), func(db.Querier) error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		<-over
	}
}

// TestStoreFailsAfterTheAnswer: what the store does not take when an answer ends is not lost. The stateless caller has its answer, a session's reader is told that the
// answer could not be kept, nobody else is admitted until the debt is paid, and then the books are right.
func TestStoreFailsAfterTheAnswer(t *testing.T) {
	var release func()
	var b *bench
	b = newBench(t, func(yield func(llm.Chunk, error) bool) {
		if err := b.db.Write(context.Background(), func(db.Querier) error { return nil }); err != nil { // the reservation is on disk
			t.Error(err)
		}
		release = b.block()
		yield(llm.Chunk{Text: "dear words", FinishReason: llm.FinishStop, Usage: &llm.Usage{Input: 5, Output: 2}}, nil)
	})
	b.engine.SettleLimit = 50 * time.Millisecond
	for i, session := range []string{"", b.session} {
		if session == "" {
			f, err := b.stateless(b.ctx, b.ask(t, ""))
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := b.complete(b.ctx, f); err != nil || *answer.Choices[0].Message.Content != "dear words" {
				t.Fatalf("%+v, %v", answer, err)
			}
		} else {
			live, err := b.Start(b.ctx, b.ask(t, session))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := whole(b.ctx, live); fault.From(err).Code != fault.Canceled && fault.From(err).Code != fault.Timeout && fault.From(err).Code != fault.StoreUnavailable {
				t.Errorf("the reader is told %v", err)
			}
		}
		if _, err := b.Prepare(b.ctx, b.ask(t, "")); !fault.Is(err, fault.StoreUnavailable) {
			t.Errorf("a call is admitted while there is a debt: %v", err)
		}
		if u := b.month(t); u.Used != int64(7*i) || u.Reserved == 0 {
			t.Errorf("while the store refuses: %+v", u)
		}
		release()
		if err := b.Pay(t.Context()); err != nil {
			t.Fatal(err)
		}
		if u := b.month(t); u.Used != int64(7*(i+1)) || u.Reserved != 0 || u.Requests != int64(i+1) {
			t.Errorf("afterwards: %+v", u)
		}
		if _, err := b.Prepare(b.ctx, b.ask(t, "")); err != nil {
			t.Errorf("when the debt is paid: %v", err)
		}
	}
	var said []sessions.Message
	if err := b.db.Read(t.Context(), func(q db.Querier) (err error) {
		said, _, err = sessions.Messages(t.Context(), q, db.TenantOf(b.tenant), b.session, 0, 10)
		return err
	}); err != nil || len(said) != 2 || llm.TextOf(said[1].Content) != "dear words" {
		t.Errorf("messages: %+v, %v", said, err)
	}
}

// TestProviderPanics: a driver that panics ends its own call and nothing else, and what was reserved comes back.
func TestProviderPanics(t *testing.T) {
	for _, early := range []bool{true, false} {
		b := newBench(t, func(yield func(llm.Chunk, error) bool) {
			if !early {
				yield(llm.Chunk{Text: "four"}, nil)
			}
			panic("driver")
		})
		for _, run := range []func(f *flight){
			func(f *flight) { _, _ = b.complete(b.ctx, f) },
			func(f *flight) {
				o, err := b.open(b.ctx, f)
				if fault.Is(err, fault.Internal) && early { // another goroutine waits for the first chunk, and a panic there would end the server
					panic(err)
				}
				defer o.stop()
				_, _, _ = o.next()
				_, _, _ = o.next()
			},
		} {
			f, err := b.stateless(b.ctx, b.ask(t, ""))
			if err != nil {
				t.Fatal(err)
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic did not come up")
					}
				}()
				run(f)
			}()
		}
		live, err := b.Start(b.ctx, b.ask(t, b.session))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := whole(b.ctx, live); !fault.Is(err, fault.Internal) {
			t.Errorf("the run ended with %v", err)
		}
		if u := b.month(t); u.Reserved != 0 || (u.Requests == 0) != early {
			t.Errorf("early %v: %+v", early, u)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		b.Hub.Drain(ctx)
		b.Drain(ctx)
		if cancel(); len(b.Holders()) != 0 || b.Waiting(b.tenant, b.session) != 0 {
			t.Error("something is left behind")
		}
	}
}

// TestTurnLimit: a call that takes too long is ended with a timeout and billed.
func TestTurnLimit(t *testing.T) {
	b := newBench(t, nil)
	b.engine.TurnLimit = 50 * time.Millisecond
	b.engine.Models = slow{}
	f, err := b.stateless(b.ctx, b.ask(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.complete(b.ctx, f); !fault.Is(err, fault.Timeout) {
		t.Errorf("ended with %v", err)
	}
	if u := b.month(t); u.Reserved != 0 || u.Requests != 1 {
		t.Errorf("%+v", u)
	}
}

// slow says one word and then nothing until it is cancelled.
type slow struct{ provider }

func (s slow) Stream(ctx context.Context, call *router.Call) iter.Seq2[llm.Chunk, error] {
	call.Used = call.Targets[0]
	return func(yield func(llm.Chunk, error) bool) {
		if yield(llm.Chunk{Text: "word"}, nil) {
			<-ctx.Done()
			yield(llm.Chunk{}, &llm.Error{Class: llm.ClassCanceled, Provider: "lab", Err: ctx.Err()})
		}
	}
}

// TestSilence: a stream whose provider thinks for long begins without it, and what comes then is the same; a provider that fails late is told in the stream.
func TestSilence(t *testing.T) {
	for _, fails := range []bool{false, true} {
		ahead := make(chan struct{})
		b := newBench(t, func(yield func(llm.Chunk, error) bool) {
			<-ahead
			if fails {
				yield(llm.Chunk{}, &llm.Error{Class: llm.ClassOverloaded, Provider: "lab"})
				return
			}
			_ = yield(llm.Chunk{Text: "late"}, nil) && yield(llm.Chunk{FinishReason: llm.FinishStop}, nil)
		})
		b.patience = time.Millisecond
		f, err := b.stateless(b.ctx, b.ask(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		o, err := b.open(b.ctx, f)
		if err != nil || o.pending == nil {
			t.Fatalf("%+v, %v", o, err)
		}
		close(ahead)
		said := ""
		for {
			chunk, err, ok := o.next()
			if !ok {
				break
			}
			if said += chunk.Text; (err != nil) != fails {
				t.Errorf("%v", err)
			}
		}
		if o.stop(); said != map[bool]string{false: "late", true: ""}[fails] {
			t.Errorf("%q", said)
		}
		if u := b.month(t); u.Reserved != 0 || len(b.Holders()) != 0 {
			t.Errorf("%+v", u)
		}
	}
}
