package routes

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
	"github.com/clawless/clawless/server/llm/policy"
	"github.com/clawless/clawless/server/llm/score"
)

// market is what the tests' models are and cost: in micro-dollars for a token, weak takes 1 in and 2 out, strong 10 and 20, big 30 and 60. The name fast is weak's too.
func market(_ context.Context, _ string, names []string) (out []policy.Model, err error) {
	make := func(id string, class catalog.Class, in int64) policy.Model {
		m := policy.Model{ID: id, Known: true, Info: catalog.Info{ID: id, Class: class, ContextWindow: 100_000, Tools: true, Schema: true, Vision: class == catalog.Large,
			Priced: true, Price: catalog.Price{Input: in * 1_000_000, Output: 2 * in * 1_000_000, CacheRead: in * 1_000_000, CacheWrite: in * 1_000_000}}}
		if class == catalog.Large {
			m.Cooling = time.Hour // today's health, which says nothing of then
		}
		return m
	}
	for _, n := range names {
		switch n {
		case "lab/weak", "fast":
			out = append(out, make("lab/weak", catalog.Small, 1))
		case "lab/strong":
			out = append(out, make(n, catalog.Large, 10))
		case "lab/big":
			out = append(out, make(n, catalog.Large, 30))
		case "lab/free":
			out = append(out, policy.Model{ID: n})
		case "auto", "default":
		default:
			out = append(out, policy.Model{ID: n, Denied: policy.SkipUnknown})
		}
	}
	return out, nil
}

func (b *bench) routes() Routes {
	return Routes{DB: b.d, Facts: market, PriceVersion: "v7", Tenant: func(_ context.Context, _ db.Querier, name string) (string, error) {
		if name == "acme" {
			return b.tenant, nil
		}
		return "", fault.New(fault.NotFound, "no such tenant")
	}}
}

func share(f float64) *float64 { return &f }

func (b *bench) replay(q ReplayRequest) ReplayBody {
	b.t.Helper()
	q.Since = "2026-11-20T00:00:00Z"
	out, err := b.routes().replay(b.t.Context(), &replayIn{Body: q})
	if err != nil {
		b.t.Fatal(err)
	}
	if out.Body.PriceVersion != "v7" || out.Body.Note == "" {
		b.t.Errorf("%+v", out.Body)
	}
	return out.Body
}

// day is what a tenant's auto calls of a day were.
func day(tenant string) []Record {
	auto := func(failure float64, last string) policy.Ask {
		return policy.Ask{Model: policy.Auto, Input: 100, Scored: true, Failure: failure, Threshold: 0.5, Last: last, Idle: time.Minute, Micros: -1}
	}
	still := auto(0, "lab/weak")
	still.Scored = false
	images := auto(0.1, "")
	images.Vision = true
	all := []Record{
		{SessionID: "ses_1", Used: "lab/strong", Ask: auto(0.9, ""), Usage: llm.Usage{Input: 1000, Output: 100}, Micros: 15_000, PriceVersion: "v1"},       // hard
		{SessionID: "ses_1", Used: "lab/strong", Ask: auto(0.1, "lab/strong"), Usage: llm.Usage{Input: 500, Output: 50}, Micros: 6000, PriceVersion: "v1"}, // it stayed up
		{Used: "lab/strong", Ask: images, Usage: llm.Usage{Input: 200, Output: 20}, Micros: 2400, PriceVersion: "v1"},                                      // images
		{SessionID: "ses_1", Used: "lab/weak", Ask: auto(0.1, ""), Usage: llm.Usage{Input: 100, Output: 10}, Micros: 120, PriceVersion: "v1"},              // after a reset
		{SessionID: "ses_1", Used: "lab/weak", Ask: still, Usage: llm.Usage{Input: 100, Output: 10}, Micros: 120, PriceVersion: "v1"},                      // no signal
		{Ask: auto(0.9, ""), Outcome: "failed"}, // nobody answered
		{SessionID: "ses_2", Used: "lab/gone", Ask: auto(0.9, "lab/big"), Usage: llm.Usage{Input: 100, Output: 10}, Micros: 9, PriceVersion: "v1"},           // a model of then, in a session from before
		{SessionID: "ses_3", Used: "lab/weak", Ask: auto(0.1, ""), Usage: llm.Usage{Input: 10, Output: 5, Cached: 4}, Micros: 20, PriceVersion: "v1"},        // easy
		{SessionID: "ses_3", Used: "lab/weak", Ask: idle(auto(0.1, "lab/weak"), 5*time.Minute), Usage: llm.Usage{Input: 10}, Micros: 10, PriceVersion: "v1"}, // after a pause
	}
	for i := range all {
		r := &all[i]
		r.TenantID, r.Asked, r.CreatedAt, r.Reason = tenant, "auto", db.At(noon.Add(time.Duration(i)*time.Minute)), policy.ReasonScore
	}
	return all
}

func idle(a policy.Ask, d time.Duration) policy.Ask {
	a.Idle = d
	return a
}

// TestReplay's numbers are worked out by hand from the day and the market.
func TestReplay(t *testing.T) {
	before := ReplaySide{CostMicros: 20_400 + 270, StrongCalls: 3, Unpriced: 1, Unanswerable: 1, // strong: 10000+2000, 5000+1000, 2000+400; weak: 100+20, 100+20, 10+10, 10
		ByModel: []ReplayModel{{"lab/strong", 3, 20_400}, {"lab/weak", 4, 270}, {"lab/gone", 1, 0}}}
	for _, tt := range []struct {
		name    string
		policy  ReplayPolicy
		changed int64
		after   ReplaySide
	}{
		// Nothing is above the threshold. Images still need the strong one, and the session that big answered stays up; the first session, which went down with its
		// first turn, stays there.
		{"all that can to the weak one", ReplayPolicy{WeakModel: "fast", StrongModel: "lab/strong", StrongShare: share(0)}, 4,
			ReplaySide{CostMicros: 2070 + 3600, StrongCalls: 2, // strong: 2400 + 1200; weak: 1200, 600, 120, 120, 0, 20, 10 and the failed one
				ByModel: []ReplayModel{{"lab/strong", 2, 3600}, {"lab/weak", 7, 2070}}}},
		// Everything scored goes up, and the turn without a signal stays where its session now is.
		{"all to the strong one", ReplayPolicy{WeakModel: "lab/weak", StrongModel: "lab/strong", StrongShare: share(1)}, 6,
			ReplaySide{StrongCalls: 9, CostMicros: 12_000 + 6000 + 2400 + 1200 + 1200 + 0 + 1200 + 200 + 100, ByModel: []ReplayModel{{"lab/strong", 9, 24_300}}}},
		// Images find no model.
		{"one model", ReplayPolicy{DefaultModel: "lab/weak"}, 5,
			ReplaySide{Unanswerable: 1, CostMicros: 1200 + 600 + 120 + 120 + 0 + 120 + 20 + 10, ByModel: []ReplayModel{{"lab/weak", 8, 2190}}}},
		// The fallback takes the images.
		{"one model and a fallback", ReplayPolicy{DefaultModel: "lab/weak", FallbackModels: []string{"lab/weak", "lab/big"}}, 5,
			ReplaySide{CostMicros: 2190 + 7200, ByModel: []ReplayModel{{"lab/big", 1, 7200}, {"lab/weak", 8, 2190}}}},
		{"a dearer strong one", ReplayPolicy{WeakModel: "lab/weak", StrongModel: "lab/big", StrongShare: share(1)}, 9,
			ReplaySide{StrongCalls: 9, CostMicros: 72_900, ByModel: []ReplayModel{{"lab/big", 9, 72_900}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, dbtest.New(t))
			b.insert(day(b.tenant)...)
			got := b.replay(ReplayRequest{Policy: tt.policy})
			want := before
			if tt.policy.StrongModel == "" {
				want.StrongCalls = 0
			}
			if got.Decisions != 9 || got.Changed != tt.changed || got.Cut || got.RecordedCostMicros != 23_679 || !reflect.DeepEqual(got.Before, want) || !reflect.DeepEqual(got.After, tt.after) {
				t.Errorf("%d decisions, %d changed, recorded %d\nbefore %+v\n  want %+v\nafter  %+v\n  want %+v", got.Decisions, got.Changed, got.RecordedCostMicros, got.Before, want, got.After, tt.after)
			}
		})
	}
}

// TestReplayShares: thresholds follow from each tenant's own scores in the order of time, whatever was recorded, as they would have then.
func TestReplayShares(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		tenants := []string{b.tenant, b.newTenant()}
		random := rand.New(rand.NewPCG(5, 6))
		shares := policy.NewShares(score.Threshold)
		want := map[string]int64{}
		var records []Record
		for i := range 1200 {
			tenant := tenants[i%2]
			failure := 0.2 + 0.5*float64(i%2) + 0.1*random.NormFloat64() // the second tenant's prompts are the harder ones
			if failure > shares.Threshold(tenant, 0.3) {
				want[tenant]++
			}
			shares.Note(tenant, failure)
			records = append(records, Record{TenantID: tenant, Asked: "auto", Used: "lab/weak", CreatedAt: db.At(noon.Add(time.Duration(i) * time.Second)),
				Ask: policy.Ask{Model: policy.Auto, Scored: true, Failure: failure, Threshold: 0.99, Micros: -1}, Usage: llm.Usage{Input: 1}})
		}
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		b.insert(records...)
		rules := ReplayPolicy{WeakModel: "lab/weak", StrongModel: "lab/strong", StrongShare: share(0.3)}
		one, both := b.replay(ReplayRequest{Tenant: "acme", Policy: rules}), b.replay(ReplayRequest{Policy: rules})
		if one.Decisions != 600 || one.After.StrongCalls != want[b.tenant] || one.After.StrongCalls < 120 || one.After.StrongCalls > 240 {
			t.Errorf("one tenant: %d strong of %d, want %d", one.After.StrongCalls, one.Decisions, want[b.tenant])
		}
		strong := want[tenants[0]] + want[tenants[1]]
		if both.Decisions != 1200 || both.After.StrongCalls != strong || both.Changed != strong || both.After.CostMicros != 1200+9*strong {
			t.Errorf("both: %+v, want %d strong", both, strong)
		}
	})
}

// TestReplayIsCut: of more than it may read, a replay reads the newest, whether one tenant's or all, also where many are of the same moment.
func TestReplayIsCut(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		b := newBench(t, d)
		tenants := []string{b.tenant, b.newTenant()}
		slices.Sort(tenants)
		var records []Record
		for i := range 2400 { // 100 of each moment
			records = append(records, Record{TenantID: tenants[i/50%2], ID: fmt.Sprintf("rte_%04d", i), Used: "lab/weak", CreatedAt: db.At(noon.Add(time.Duration(i/100) * time.Second)),
				Ask: policy.Ask{Model: policy.Auto, Micros: -1}, Usage: llm.Usage{Input: int64(i)}})
		}
		b.insert(records...)
		for _, tt := range []struct {
			name   string
			tenant string
			until  time.Time
			most   int
			kept   func(i int) bool
			cut    bool
		}{
			{"all", "", noon.Add(time.Hour), 5000, func(int) bool { return true }, false},
			{"exactly all", "", noon.Add(time.Hour), 2400, func(int) bool { return true }, false},
			{"all but one", "", noon.Add(time.Hour), 2399, func(i int) bool { return i >= 1 }, true},
			{"in the midst of a moment", "", noon.Add(time.Hour), 2050, func(i int) bool { return i >= 350 }, true},
			{"up to a moment", "", noon.Add(20 * time.Second), 1234, func(i int) bool { return i >= 2000-1234 && i < 2000 }, true},
			{"one tenant", tenants[0], noon.Add(time.Hour), 1020, func(i int) bool { return i/50%2 == 0 && i >= 330 }, true},
			{"one tenant, whole", tenants[1], noon.Add(time.Hour), 1200, func(i int) bool { return i/50%2 == 1 }, false},
			{"one tenant, up to a moment", tenants[0], noon.Add(20 * time.Second), 5000, func(i int) bool { return i/50%2 == 0 && i < 2000 }, false},
			{"one", "", noon.Add(time.Hour), 1, func(i int) bool { return i == 2399 }, true},
		} {
			t.Run(tt.name, func(t *testing.T) {
				var n, tokens int64
				for i := range 2400 {
					if tt.kept(i) {
						n, tokens = n+1, tokens+int64(i)
					}
				}
				r := newReplay(market)
				if err := r.adopt(t.Context(), "", policy.Rules{Weak: "lab/weak", Strong: "lab/strong"}); err != nil {
					t.Fatal(err)
				}
				cut, err := r.run(t.Context(), d, span{tenantID: tt.tenant, since: noon, until: tt.until}, tt.most)
				if err != nil || cut != tt.cut || r.sum.decisions != n || r.sum.before.micros != tokens || r.sum.after.micros != tokens {
					t.Errorf("cut %t, %d decisions of %d tokens, %v; want %t, %d of %d", cut, r.sum.decisions, r.sum.before.micros, err, tt.cut, n, tokens)
				}
			})
		}
	})
}

// TestReplayKeepsTenantsApart: what one tenant may use says nothing of another in the same replay.
func TestReplayKeepsTenantsApart(t *testing.T) {
	b := newBench(t, dbtest.New(t))
	starter := b.newTenant()
	for i, tenant := range []string{b.tenant, starter, b.tenant, starter} {
		b.insert(Record{TenantID: tenant, Used: "lab/weak", Usage: llm.Usage{Input: 1}, CreatedAt: db.At(noon.Add(time.Duration(i) * time.Second)), Ask: policy.Ask{Model: policy.Auto, Scored: true, Failure: 0.5, Micros: -1}})
	}
	r := b.routes()
	r.Facts = func(ctx context.Context, tenantID string, names []string) ([]policy.Model, error) {
		models, err := market(ctx, tenantID, names)
		for i := range models {
			if tenantID == starter && models[i].ID == "lab/strong" {
				models[i].Denied = policy.SkipTier
			}
		}
		return models, err
	}
	out, err := r.replay(t.Context(), &replayIn{Body: ReplayRequest{Since: "2026-11-20T00:00:00Z", Policy: ReplayPolicy{WeakModel: "lab/weak", StrongModel: "lab/strong", StrongShare: share(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := out.Body.After.ByModel, []ReplayModel{{"lab/strong", 2, 20}, {"lab/weak", 2, 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestReplayStrongCalls: the pair's weak model is never a strong call, though it is of the strong one's class; nor is any other where that class is unknown.
func TestReplayStrongCalls(t *testing.T) {
	b := newBench(t, dbtest.New(t))
	for i, used := range []string{"lab/strong", "lab/big", "lab/weak"} {
		b.insert(Record{TenantID: b.tenant, Used: used, CreatedAt: db.At(noon.Add(time.Duration(i) * time.Second)), Ask: policy.Ask{Model: policy.Auto, Micros: -1}})
	}
	pair := ReplayPolicy{WeakModel: "lab/strong", StrongModel: "lab/big", StrongShare: share(0)}
	if got := b.replay(ReplayRequest{Policy: pair}); got.Before.StrongCalls != 1 || got.After.StrongCalls != 0 {
		t.Errorf("two of a class: %d before, %d after", got.Before.StrongCalls, got.After.StrongCalls)
	}
	r := b.routes()
	r.Facts = func(ctx context.Context, tenantID string, names []string) ([]policy.Model, error) {
		models, err := market(ctx, tenantID, names)
		for i := range models {
			if models[i].ID == "lab/big" {
				models[i].Info.Class = ""
			}
		}
		return models, err
	}
	pair.WeakModel = "lab/weak"
	out, err := r.replay(t.Context(), &replayIn{Body: ReplayRequest{Since: "2026-11-20T00:00:00Z", Policy: pair}})
	if err != nil || out.Body.Before.StrongCalls != 1 {
		t.Errorf("an unknown class: %+v %v", out, err)
	}
}

func TestReplayRefuses(t *testing.T) {
	b := newBench(t, dbtest.New(t))
	pair := ReplayPolicy{WeakModel: "lab/weak", StrongModel: "lab/strong", StrongShare: share(0.5)}
	with := func(change func(p *ReplayPolicy)) ReplayRequest {
		p := pair
		change(&p)
		return ReplayRequest{Since: "7d", Policy: p}
	}
	for _, tt := range []struct {
		name string
		ask  ReplayRequest
		want string // fields, and what the message says
	}{
		{"an unknown model", with(func(p *ReplayPolicy) { p.WeakModel = "lab/nobody" }), `policy.weak_model: "lab/nobody" is a model that no provider offers`},
		{"several", with(func(p *ReplayPolicy) { p.StrongModel, p.FallbackModels = "x/y", []string{"lab/big", "auto"} }),
			`policy.strong_model: "x/y" is a model that no provider offers; policy.fallback_models[1]: "auto" is a model that no provider offers`},
		{"an unknown price", with(func(p *ReplayPolicy) { p.DefaultModel = "lab/free" }), `policy.default_model: the price of "lab/free" is unknown, so auto would never choose it; add it to prices_file`},
		{"no policy", ReplayRequest{Since: "7d"}, `policy: names no model; set weak_model, strong_model and strong_share`},
		{"no share", with(func(p *ReplayPolicy) { p.StrongShare = nil }), `policy.strong_share: is missing: from 0 to 1, the share of the scored calls that may go to strong_model`},
		{"an empty fallback", with(func(p *ReplayPolicy) { p.FallbackModels = []string{""} }), `policy.fallback_models[0]: is empty`},
		{"times", ReplayRequest{Since: "7 days", Until: "-1h", Policy: pair}, `since: neither how long ago, such as 7d or 36h, nor an RFC 3339 time; until: neither how long ago, such as 7d or 36h, nor an RFC 3339 time`},
		{"the wrong way round", ReplayRequest{Since: "1h", Until: "2h", Policy: pair}, `since: not before the end`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.routes().replay(t.Context(), &replayIn{Body: tt.ask})
			if !fault.Is(err, fault.ValidationFailed) {
				t.Fatal(err)
			}
			var got []string
			for _, d := range fault.From(err).Details {
				got = append(got, d.Field+": "+d.Message)
			}
			if strings.Join(got, "; ") != tt.want || fault.From(err).Message != tt.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), tt.want)
			}
		})
	}
	ask := with(func(*ReplayPolicy) {})
	ask.Tenant = "nobody"
	if _, err := b.routes().replay(t.Context(), &replayIn{Body: ask}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown tenant: %v", err)
	}
	out, err := b.routes().replay(t.Context(), &replayIn{Body: with(func(*ReplayPolicy) {})})
	if err != nil || out.Body.Decisions != 0 || out.Body.Before.ByModel == nil {
		t.Errorf("nothing recorded: %+v %v", out, err)
	}
}

func TestMoment(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "0s": 0, "2026-11-20T13:00:00+02:00": time.Hour} {
		if got, ok := moment(text, noon); !ok || noon.Sub(got) != want {
			t.Errorf("%s is %s", text, got)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "yesterday", "7", "-3h", "99999d", "2026-11-20"} {
		if got, ok := moment(text, noon); ok {
			t.Errorf("%q is %s", text, got)
		}
	}
}
