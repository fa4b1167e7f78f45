package engine

import (
	"context"
	"encoding/json"
	"github.com/clawless/clawless/server/chat/arrears"
	"github.com/clawless/clawless/server/chat/judge"
	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/quotas"
	"github.com/clawless/clawless/server/tenants"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/chat/dialect"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/router"
)

// lab answers with what a test scripts; it is the router and a provider in one.
type lab func(call *router.Call, yield func(llm.Chunk, error) bool)

func (l lab) Stream(_ context.Context, call *router.Call) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		call.Used = call.Targets[0]
		l(call, yield)
	}
}

// silent is a provider that is only named.
type silent struct{}

func (silent) Name() string                                                     { return "lab" }
func (silent) Stream(context.Context, *llm.Request) iter.Seq2[llm.Chunk, error] { return nil }

func target(id string) router.Target {
	return router.Target{Provider: silent{}, Model: id, ID: "lab/" + id}
}

func newEngine(t *testing.T, l lab) *Engine {
	d := dbtest.New(t)
	err := d.Write(t.Context(), func(q db.Querier) error {
		return tenants.Create(t.Context(), q, tenants.Tenant{ID: "ten_1", Name: "acme", Tier: tenants.Starter, Status: tenants.Active, CreatedAt: db.At(time.Now())})
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	return &Engine{DB: d, Models: l, Prices: catalog.Default(), Log: log, Debts: arrears.New(d, log), SettleLimit: time.Second}
}

// admit reserves for the call as its caller would.
func (c *Engine) admit(t *testing.T, k *Call) {
	t.Helper()
	err := c.DB.Write(t.Context(), func(q db.Querier) (err error) {
		k.Hold, err = quotas.Reserve(t.Context(), q, k.Budget(0), time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// month is what the tenant has used, after the call is booked.
func (c *Engine) month(t *testing.T, k *Call, cause error) (u quotas.Usage) {
	t.Helper()
	err := c.DB.Write(t.Context(), func(q db.Querier) error { return c.Book(t.Context(), q, k, cause, time.Now()) })
	if err == nil {
		err = c.DB.Read(t.Context(), func(q db.Querier) (err error) {
			u, err = quotas.Month(t.Context(), q, db.TenantOf("ten_1"), quotas.Period(time.Now()))
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newCall(p plan.Plan) *Call {
	k := &Call{Tenant: tenants.Tenant{ID: "ten_1", Tier: tenants.Starter}, RequestID: "req_1", Req: &llm.Request{Messages: []llm.Message{{Role: "user", Content: llm.Text("question")}}}, Answer: dialect.NewAnswer("x", "lab/m", time.Now())}
	k.Decide(p)
	k.Answer.Model = k.Target.ID
	return k
}

// TestNeverEndingStream: an answer that never ends is cut at its bounds, as one that reached its length.
func TestNeverEndingStream(t *testing.T) {
	for name, piece := range map[string]string{"by its text": string(make([]byte, 1<<20)), "by its frames": "x"} {
		c := newEngine(t, func(_ *router.Call, yield func(llm.Chunk, error) bool) {
			for yield(llm.Chunk{Text: piece}, nil) {
			}
		})
		k := newCall(plan.Plan{Targets: []router.Target{target("m")}})
		k.Answer.Brief()
		var last llm.Chunk
		err := c.Relay(t.Context(), k, func(c llm.Chunk, _ error) bool {
			last = c
			return true
		})
		if err != nil || last.FinishReason != llm.FinishLength || k.Answer.Size.Bytes > maxAnswer+1<<20 || k.chunks*frameBytes > maxFrames+frameBytes {
			t.Errorf("%s: %d bytes in %d chunks, ended by %q, %v", name, k.Answer.Size.Bytes, k.chunks, last.FinishReason, err)
		}
	}
}

// pair is the plan of an automatic choice that begins with the weak model.
func pair() plan.Plan {
	return plan.Plan{Asked: "auto", Ask: policy.Ask{Model: policy.Auto}, Rules: policy.Rules{Weak: "lab/weak", Strong: "lab/strong"}, Decision: policy.Decision{Reason: policy.ReasonScore},
		Targets: []router.Target{target("weak"), target("strong")}}
}

func single() plan.Plan {
	return plan.Plan{Asked: "lab/weak", Ask: policy.Ask{Model: "lab/weak"}, Decision: policy.Decision{Reason: policy.ReasonExplicit}, Targets: []router.Target{target("weak")}}
}

// wordless is a provider that cannot be held to a format.
type wordless struct{ silent }

func (wordless) NativeSchema(*llm.Request) bool { return false }

const objectFormat = `{"type":"json_object"}`

var scriptUsage = &llm.Usage{Input: 10, Output: 5}

func whole(text string) []llm.Chunk {
	return []llm.Chunk{{Text: text}, {FinishReason: llm.FinishStop, Usage: scriptUsage}}
}

var repeatedCall = []llm.Chunk{{ToolCalls: []llm.ToolCallDelta{{ID: "c", Name: "find", Arguments: `{"q": 1}`}}}, {FinishReason: llm.FinishToolCalls, Usage: scriptUsage}}
var pastCall = []llm.Message{{Role: "user", Content: llm.Text("x")}, {Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "a", Function: llm.ToolCallFunction{Name: "find", Arguments: `{"q":1}`}}}}, {Role: "tool", ToolCallID: "a"}}

var escalations = []struct {
	name    string
	plan    plan.Plan
	format  string
	history []llm.Message
	answers [][]llm.Chunk
	asked   string // the targets, in order
	text    string
	reason  policy.Reason
	wasted  int
	code    fault.Code
}{
	{"a good answer", pair(), "", nil, [][]llm.Chunk{whole("fine")}, "lab/weak", "fine", policy.ReasonScore, 0, ""},
	{"an empty one", pair(), "", nil, [][]llm.Chunk{{{FinishReason: llm.FinishStop, Usage: scriptUsage}}, whole("strong")}, "lab/weak lab/strong", "strong", policy.ReasonEscalation, 1, ""},
	{"an empty one in one piece with its thoughts", pair(), "", nil, [][]llm.Chunk{{{Reasoning: "hm", FinishReason: llm.FinishStop, Usage: scriptUsage}}, whole("strong")}, "lab/weak lab/strong", "strong", policy.ReasonEscalation, 1, ""},
	{"both empty", pair(), "", nil, [][]llm.Chunk{{{FinishReason: llm.FinishStop, Usage: scriptUsage}}, {{FinishReason: llm.FinishStop, Usage: scriptUsage}}}, "lab/weak lab/strong", "", policy.ReasonEscalation, 1, ""},
	{"an empty one of a named model", single(), "", nil, [][]llm.Chunk{{{FinishReason: llm.FinishStop, Usage: scriptUsage}}}, "lab/weak", "", policy.ReasonExplicit, 0, ""},
	{"bad JSON", pair(), objectFormat, nil, [][]llm.Chunk{whole("no"), whole(`{"a":1}`)}, "lab/weak lab/strong", `{"a":1}`, policy.ReasonEscalation, 1, ""},
	{"good JSON", pair(), objectFormat, nil, [][]llm.Chunk{whole(`{"a":2}`)}, "lab/weak", `{"a":2}`, policy.ReasonScore, 0, ""},
	{"good JSON in one piece", pair(), objectFormat, nil, [][]llm.Chunk{{{Text: `{"a":2}`, FinishReason: llm.FinishStop, Usage: scriptUsage}}}, "lab/weak", `{"a":2}`, policy.ReasonScore, 0, ""},
	{"a repeated call", pair(), "", pastCall, [][]llm.Chunk{repeatedCall, whole("strong")}, "lab/weak lab/strong", "strong", policy.ReasonEscalation, 1, ""},
	{"a repeated call of the named model", single(), "", pastCall, [][]llm.Chunk{repeatedCall}, "lab/weak", "", policy.ReasonExplicit, 0, ""},
}

func TestEscalation(t *testing.T) {
	for _, tt := range escalations {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			c := newEngine(t, func(call *router.Call, yield func(llm.Chunk, error) bool) {
				asked += " " + call.Used.ID
				call.Attempts = append(call.Attempts, router.Attempt{Target: call.Used, Key: 1})
				answer := tt.answers[0]
				tt.answers = tt.answers[1:]
				for _, chunk := range answer {
					if !yield(chunk, nil) {
						return
					}
				}
			})
			k := newCall(tt.plan)
			if tt.history != nil {
				k.Send(tt.history)
			}
			k.Form, _ = judge.FormOf(json.RawMessage(tt.format))
			c.admit(t, k)
			text, ends := "", 0
			err := c.Relay(t.Context(), k, func(chunk llm.Chunk, _ error) bool {
				text += chunk.Text
				if chunk.FinishReason != "" {
					ends++
				}
				return true
			})
			if err != nil || strings.TrimSpace(asked) != tt.asked || text != tt.text || ends != 1 || k.reason() != tt.reason || len(k.booked) != tt.wasted {
				t.Errorf("got %q from%s by %s, %d ends, %d wasted, %v", text, asked, k.reason(), ends, len(k.booked), err)
			}
			if k.Answer.Said() != tt.text || k.Answer.Usage == nil || k.Answer.Model != k.Target.ID {
				t.Errorf("the answer kept is %q by %s, %+v", k.Answer.Said(), k.Answer.Model, k.Answer.Usage)
			}
			if r := k.Answer.Paper; r.Route == nil || r.Route.Reason != string(tt.reason) || len(r.Attempts) != tt.wasted+1 || r.Tokens.Output != 5 {
				t.Errorf("the receipt is %+v", r)
			}
			if u := c.month(t, k, nil); u.Requests != int64(tt.wasted+1) || u.Used != int64(15*(tt.wasted+1)) || u.Reserved != 0 {
				t.Errorf("the month is %+v", u)
			}
		})
	}
}

// TestFormInWords: a model that cannot be held to a format is asked for it in words, once more when it fails, and then the caller is told.
func TestFormInWords(t *testing.T) {
	for _, second := range []string{`{"a":1}`, "still no"} {
		var sent []*llm.Request
		c := newEngine(t, func(call *router.Call, yield func(llm.Chunk, error) bool) {
			req, fail := call.For(call.Used)
			if fail != nil {
				t.Fatal(fail)
			}
			text := "no JSON"
			if sent = append(sent, req); len(sent) == 2 {
				text = second
			}
			call.Attempts = append(call.Attempts, router.Attempt{Target: call.Used, Key: 1})
			_ = yield(llm.Chunk{Text: text}, nil) && yield(llm.Chunk{FinishReason: llm.FinishStop}, nil)
		})
		p := single()
		p.Targets[0].Provider = wordless{}
		k := newCall(p)
		k.Req.Params = map[string]json.RawMessage{"response_format": json.RawMessage(objectFormat), "seed": json.RawMessage("1")}
		k.Form, _ = judge.FormOf(k.Req.Params["response_format"])
		c.admit(t, k)
		text := ""
		err := c.Relay(t.Context(), k, func(chunk llm.Chunk, _ error) bool {
			text += chunk.Text
			return true
		})
		good := second == `{"a":1}`
		if good && (err != nil || text != second) || !good && (!fault.Is(err, fault.AnswerInvalid) || text != "") {
			t.Errorf("got %q, %v", text, err)
		}
		if u := c.month(t, k, err); u.Requests != 2 || u.Reserved != 0 {
			t.Errorf("two answers make the month %+v", u)
		}
		for i, req := range sent {
			if req.Params["response_format"] != nil || req.Params["seed"] == nil || req.Messages[0].Role != "system" || !strings.Contains(llm.TextOf(req.Messages[0].Content), "JSON") {
				t.Errorf("try %d was sent %+v", i, req)
			}
		}
		if len(sent) != 2 || len(sent[1].Messages) != len(sent[0].Messages)+2 {
			t.Errorf("%d tries", len(sent))
		}
	}
}

// TestThinkingFits: a level that a default asks for is left out where the model has none, and one that the caller asks for rules the model out.
func TestThinkingFits(t *testing.T) {
	thinks, not := target("thinks"), target("not")
	thinks.Known, not.Known = true, true
	thinks.Info.Efforts = []llm.Effort{llm.EffortLow, llm.EffortHigh}
	for _, tt := range []struct {
		effort llm.Effort
		from   string
		target router.Target
		want   llm.Effort
		ok     bool
	}{
		{llm.EffortHigh, "message", thinks, llm.EffortHigh, true},
		{llm.EffortMedium, "message", thinks, "", false},
		{llm.EffortMedium, "tenant", thinks, "", true},
		{llm.EffortHigh, "session", not, "", true},
		{llm.EffortOff, "message", not, "", true},
		{llm.EffortOff, "message", thinks, "", false},
		{llm.EffortHigh, "message", target("unknown"), llm.EffortHigh, true},
		{llm.EffortHigh, "session", target("unknown"), llm.EffortHigh, true},
		{llm.EffortHigh, "tenant", target("unknown"), "", true},
		{"", "", thinks, "", true},
	} {
		p := single()
		p.Targets, p.Effort, p.EffortFrom = []router.Target{tt.target}, tt.effort, tt.from
		req, fail := newCall(p).fit(tt.target)
		if (fail == nil) != tt.ok || tt.ok && req.Effort != tt.want {
			t.Errorf("%s from %s at %s: %+v, %v", tt.effort, tt.from, tt.target.Model, req, fail)
		}
	}
}
