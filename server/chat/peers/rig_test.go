package peers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/runs"
	"github.com/clawless/clawless/server/sessions"
	"github.com/clawless/clawless/server/tenants"
	"github.com/clawless/clawless/server/tool"
)

// core starts turns as the server does, with a test's function in place of a model.
type core struct {
	t      *testing.T
	db     *db.DB
	refuse func(Send) error                         // before a turn begins; nil lets all begin
	reply  func(context.Context, Send, string) Sent // the run's id; nil answers with the text
	wg     sync.WaitGroup

	mu    sync.Mutex
	asked []Send // all of them
	begun []Send // those whose turn began
}

// Send implements Core.
func (c *core) Send(ctx context.Context, s Send) (Sent, error) {
	c.mu.Lock()
	c.asked = append(c.asked, s)
	c.mu.Unlock()
	if c.refuse != nil {
		if err := c.refuse(s); err != nil {
			return Sent{}, err
		}
	}
	run := runs.Run{ID: ids.New(ids.Run), TenantID: s.From.TenantID, SessionID: s.SessionID, RequestID: "req_1", ParentRunID: s.From.RunID, Hops: s.Hops, StartedAt: db.At(time.Now())}
	t := db.TenantOf(run.TenantID)
	err := c.db.Write(ctx, func(q db.Querier) error {
		if err := runs.Insert(ctx, q, run, "node_test"); err != nil {
			return err
		}
		m := sessions.Message{ID: ids.New(ids.Message), SessionID: s.SessionID, RunID: run.ID, Role: "user", Content: llm.Text(s.Text), Origin: s.From.SessionID}
		if err := sessions.Append(ctx, q, t, &m, time.Now()); err != nil {
			return err
		}
		return Bind(ctx, q, t, s.Key, run.ID)
	})
	if err != nil {
		return Sent{}, err
	}
	c.mu.Lock()
	c.begun = append(c.begun, s)
	c.mu.Unlock()
	done := make(chan Sent, 1)
	c.wg.Go(func() { done <- c.work(context.WithoutCancel(ctx), s, run) })
	over := time.NewTimer(s.Wait)
	defer over.Stop()
	select {
	case sent := <-done:
		return sent, nil
	default:
	}
	select {
	case sent := <-done:
		return sent, nil
	case <-over.C:
		return Sent{RunID: run.ID, Status: string(runs.Running)}, nil
	}
}

func (c *core) work(ctx context.Context, s Send, run runs.Run) Sent {
	sent := Sent{Status: string(runs.Completed), Text: "answer to " + s.Text}
	if c.reply != nil {
		sent = c.reply(ctx, s, run.ID)
	}
	sent.RunID = run.ID
	run.Status, run.FinishedAt = runs.Status(sent.Status), db.At(time.Now())
	if run.Status != runs.Completed {
		run.ErrorMessage = sent.Text
	}
	err := c.db.Write(ctx, func(q db.Querier) error {
		m := sessions.Message{ID: ids.New(ids.Message), SessionID: s.SessionID, RunID: run.ID, Role: "assistant", Content: llm.Text(sent.Text)}
		return errors.Join(sessions.Append(ctx, q, db.TenantOf(run.TenantID), &m, time.Now()), runs.Finish(ctx, q, run))
	})
	if err != nil {
		c.t.Errorf("a run did not end: %v", err)
	}
	return sent
}

func (c *core) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.begun)
}

// rig is the tools over a database with two tenants.
type rig struct {
	*core
	t       *testing.T
	a, b    string
	setting string
	tools   map[string]tool.Tool
	at      time.Time // of the next session
}

func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := &rig{t: t, core: &core{t: t, db: d}, a: ids.New(ids.Tenant), b: ids.New(ids.Tenant), setting: Self, tools: map[string]tool.Tool{}, at: time.UnixMicro(1_700_000_000_000_000)}
		t.Cleanup(r.wg.Wait)
		for _, id := range []string{r.a, r.b} {
			r.write(func(q db.Querier) error {
				return tenants.Create(t.Context(), q, tenants.Tenant{ID: id, Name: id[4:], Tier: tenants.Starter, Status: tenants.Active, CreatedAt: db.At(r.at)})
			})
		}
		visibility := func(context.Context, string) (string, error) { return r.setting, nil }
		for _, one := range New(Options{DB: d, Core: r.core, Visibility: visibility, Log: slog.New(slog.DiscardHandler)}) {
			r.tools[one.Spec().Name] = one
		}
		test(t, r)
	})
}

// in is the rig for a test of its own.
func (r *rig) in(t *testing.T) *rig {
	other := *r
	other.t = t
	return &other
}

func (r *rig) write(fn func(q db.Querier) error) {
	r.t.Helper()
	if err := r.db.Write(context.WithoutCancel(r.t.Context()), fn); err != nil {
		r.t.Fatal(err)
	}
}

// session stores a session of the first tenant that is a second newer than the one before.
func (r *rig) session(change func(*sessions.Session)) sessions.Session {
	r.t.Helper()
	r.at = r.at.Add(time.Second)
	s := sessions.New(r.a, r.at)
	if change != nil {
		change(&s)
	}
	r.write(func(q db.Querier) error { return sessions.Insert(r.t.Context(), q, s) })
	return s
}

// say stores messages.
func (r *rig) say(s sessions.Session, list ...sessions.Message) {
	r.t.Helper()
	r.write(func(q db.Querier) error {
		for _, m := range list {
			m.ID, m.SessionID = ids.New(ids.Message), s.ID
			if err := sessions.Append(r.t.Context(), q, db.TenantOf(s.TenantID), &m, r.at); err != nil {
				return err
			}
		}
		return nil
	})
}

// run stores a run of the session that is under way.
func (r *rig) run(s sessions.Session, parent string) runs.Run {
	r.t.Helper()
	run := runs.Run{ID: ids.New(ids.Run), TenantID: s.TenantID, SessionID: s.ID, RequestID: "req_1", ParentRunID: parent, StartedAt: db.At(time.Now())}
	r.write(func(q db.Querier) error { return runs.Insert(r.t.Context(), q, run, "node_test") })
	return run
}

func (r *rig) finish(run runs.Run) {
	r.t.Helper()
	run.Status, run.FinishedAt = runs.Completed, db.At(time.Now())
	r.write(func(q db.Querier) error { return runs.Finish(r.t.Context(), q, run) })
}

// call is one of the session's, in a turn that people started.
func (r *rig) call(s sessions.Session, arguments any) tool.Call {
	b, err := json.Marshal(arguments)
	if err != nil {
		r.t.Fatal(err)
	}
	return tool.Call{ID: ids.New("call_"), TenantID: s.TenantID, SessionID: s.ID, RunID: ids.New(ids.Run), EndUser: s.EndUser, Depth: int(s.Depth), Arguments: b}
}

type args map[string]any

// do calls a tool as a turn does, and reads its result into one.
func (r *rig) do(ctx context.Context, name string, c tool.Call, into any) (tool.Result, error) {
	result, err := tool.Run(ctx, r.tools[name], c)
	if err != nil {
		return result, err
	}
	if result.Taints == nil {
		r.t.Errorf("%s does not say whose words its result holds", name)
	}
	reflect.ValueOf(into).Elem().SetZero()
	if err := json.Unmarshal([]byte(result.Text), into); err != nil {
		r.t.Errorf("%s returned no JSON: %v: %.200s", name, err, result.Text)
	}
	return result, nil
}

// must is do for a call that is not refused.
func (r *rig) must(name string, c tool.Call, into any) tool.Result {
	r.t.Helper()
	result, err := r.do(r.t.Context(), name, c, into)
	if err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	return result
}

// refused calls a tool that must refuse, with this code, and returns its words.
func (r *rig) refused(name string, c tool.Call, code fault.Code) string {
	r.t.Helper()
	result, err := r.do(r.t.Context(), name, c, new(any))
	if !fault.Is(err, code) {
		r.t.Fatalf("%s: want %s, got %q, %v", name, code, result.Text, err)
	}
	return err.Error()
}

// wireSession and the others are results as a model reads them.
type wireSession struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Relation string `json:"relation"`
	ParentID string `json:"parent_id"`
	User     string `json:"user"`
	Messages int    `json:"messages"`
	Running  bool   `json:"running"`
	Archived bool   `json:"archived"`
}

type wireList struct {
	Sessions  []wireSession `json:"sessions"`
	Truncated bool          `json:"truncated"`
	Omitted   int           `json:"omitted"`
	AndMore   bool          `json:"and_more"`
}

type wireHistory struct {
	SessionID string `json:"session_id"`
	Title     string `json:"title"`
	Messages  []struct {
		Sequence   int64                              `json:"sequence"`
		Role       string                             `json:"role"`
		From       string                             `json:"from"`
		Text       string                             `json:"text"`
		OtherParts int                                `json:"other_parts"`
		Tool       string                             `json:"tool"`
		ToolCalls  []struct{ Tool, Arguments string } `json:"tool_calls"`
		Truncated  bool                               `json:"truncated"`
		Omitted    int                                `json:"omitted_characters"`
		MoreCalls  int                                `json:"omitted_tool_calls"`
	} `json:"messages"`
	Truncated bool  `json:"truncated"`
	Omitted   int   `json:"omitted"`
	AndMore   bool  `json:"and_more"`
	Before    int64 `json:"before"`
}

type wireOutcome struct {
	Status     string `json:"status"`
	SessionID  string `json:"session_id"`
	RunID      string `json:"run_id"`
	Answer     string `json:"answer"`
	Reason     string `json:"reason"`
	Truncated  bool   `json:"truncated"`
	Omitted    int    `json:"omitted_characters"`
	Tokens     int64  `json:"tokens"`
	CostMicros int64  `json:"cost_micros"`
	Archived   bool   `json:"archived"`
}
