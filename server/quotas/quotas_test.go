package quotas

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// TestTake: whatever the numbers, what is granted fits both budgets, a caller's own limit is granted whole or not at all, what could be granted is, and a refusal says
// which budget it was and when to come again.
func TestTake(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	now := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
	pick := func() int64 {
		return []int64{0, 1, 63, 64, 65, 1000, random.Int64N(100_000), 10_000_000, math.MaxInt64 / 4}[random.IntN(9)]
	}
	refused := map[string]int{}
	for range 200_000 {
		b := Budget{Monthly: pick(), MonthlyMicros: pick(), Input: min(pick(), 1<<30), Output: min(pick(), 10_000_000), Exact: random.IntN(2) == 0, Priced: random.IntN(4) > 0}
		if b.Priced {
			b.Price = catalog.Price{Input: min(pick(), 1e8), Output: min(pick(), 1e9), CacheRead: min(pick(), 1e8), CacheWrite: min(pick(), 1e8)}
		}
		m := totals{Used: min(pick(), 1<<40), Reserved: min(pick(), 1<<40), UsedMicros: min(pick(), 1<<40), ReservedMicros: min(pick(), 1<<40)}
		fits := func(output int64) bool {
			n := b.needs(output)
			return (b.Monthly == 0 || m.Used+m.Reserved+n.Tokens <= b.Monthly) && (b.MonthlyMicros == 0 || m.UsedMicros+m.ReservedMicros+n.Micros <= b.MonthlyMicros)
		}
		least := min(smallestAnswer, b.Output)
		if b.Exact {
			least = b.Output
		}
		output, err := b.take(m, now)
		if err != nil {
			f := fault.From(err)
			refused[string(f.Code)]++
			switch {
			case b.MonthlyMicros > 0 && !b.Priced:
				if f.Code != fault.PriceUnknown {
					t.Fatalf("%+v: %v", b, err)
				}
			case f.Code != fault.QuotaExceeded || f.RetryAfter <= 0 || f.RetryAfter > time.Minute || fits(least):
				t.Fatalf("%+v in %+v: %v, %s", b, m, err, f.RetryAfter)
			}
			continue
		}
		if b.MonthlyMicros > 0 && !b.Priced || output < least || output > b.Output || !fits(output) {
			t.Fatalf("%+v in %+v: %d", b, m, output)
		}
	}
	if refused["quota_exceeded"] < 1000 || refused["price_unknown"] < 1000 {
		t.Errorf("the test refused little: %v", refused)
	}
}

// TestRefusals: a refusal names the budget that is too small, in the unit in which it was set, and what raises it.
func TestRefusals(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	price := catalog.Price{Input: 3_000_000, Output: 15_000_000}
	for _, c := range []struct {
		name string
		b    Budget
		m    totals
		want []string
		soon bool
	}{
		{"tokens", Budget{Monthly: 1000, MonthlyMicros: 1e9, Price: price, Priced: true, Input: 1001, Output: 10}, totals{}, []string{"budget of 1000 tokens", "--monthly-tokens N"}, false},
		{"money", Budget{Monthly: 1e9, MonthlyMicros: 25_000_000, Price: price, Priced: true, Input: 10_000, Output: 1000, Exact: true}, totals{UsedMicros: 24_990_031, ReservedMicros: 31},
			[]string{"budget of $25.00 (monthly_cost)", "may cost $0.045", "$24.990031 used", "$0.000031 reserved", "--monthly-cost DOLLARS"}, false},
		{"money that others hold", Budget{MonthlyMicros: 50_000, Price: price, Priced: true, Input: 10_000, Output: 1000, Exact: true}, totals{ReservedMicros: 45_000},
			[]string{"budget of $0.05 (monthly_cost)", "$0.045 reserved"}, true},
		{"no price", Budget{MonthlyMicros: 50_000, Input: 1, Output: 1}, totals{}, []string{"monthly_cost", "prices_file"}, false},
	} {
		_, err := c.b.take(c.m, now)
		f := fault.From(err)
		if f == nil {
			t.Errorf("%s: granted", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(f.Message, want) {
				t.Errorf("%s: %q does not say %q", c.name, f.Message, want)
			}
		}
		if (f.RetryAfter == soon) != c.soon {
			t.Errorf("%s: come again in %s", c.name, f.RetryAfter)
		}
	}
}

// TestDearest: the dearest price covers every call at any of the given ones, and a prompt that is cached costs no more than was held.
func TestDearest(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 10_000 {
		some := make([]catalog.Price, 1+random.IntN(4))
		for i := range some {
			some[i] = catalog.Price{Input: random.Int64N(1e7), Output: random.Int64N(1e8), CacheRead: random.Int64N(1e6), CacheWrite: random.Int64N(2e7)}
		}
		input, output := random.Int64N(1e6), random.Int64N(1e6)
		held := cost(Dearest(some...), input, output)
		for _, p := range some {
			cached := random.Int64N(input + 1)
			u := llm.Usage{Input: input, Output: output, Cached: cached, CacheWrite: random.Int64N(input - cached + 1)}
			if real := p.Cost(u); real > held {
				t.Fatalf("%+v costs %d by %+v, and %d was held", u, real, p, held)
			}
		}
	}
}

// TestPeriod: a call belongs to the month of its start in UTC, wherever the server stands, and the next month begins where this one ends.
func TestPeriod(t *testing.T) {
	east := time.FixedZone("east", 14*3600)
	for at, want := range map[time.Time]string{
		time.Date(2026, 1, 1, 3, 0, 0, 0, east):                  "2025-12",
		time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC):          "2028-02",
		time.Date(2026, 12, 31, 23, 59, 59, 999999999, time.UTC): "2026-12",
	} {
		if got := Period(at); got != want {
			t.Errorf("%s is %s", at, got)
		}
		if next := at.Add(nextPeriod(at)); Period(next) == want || Period(next.Add(-1)) != want {
			t.Errorf("after %s comes %s", at, next)
		}
	}
}
