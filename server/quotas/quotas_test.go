package quotas

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clawless/clawless/server/fault"
)

// TestTake: whatever the numbers, what is granted fits, a caller's own limit is granted whole or not at all, and a refusal says when to come again.
func TestTake(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	now := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
	pick := func() int64 {
		return []int64{0, 1, 63, 64, 65, 1000, random.Int64N(100_000), 10_000_000, math.MaxInt64 / 4}[random.IntN(9)]
	}
	for range 200_000 {
		b := Budget{Monthly: pick(), Input: min(pick(), 1<<40), Output: max(1, min(pick(), 10_000_000)), Exact: random.IntN(2) == 0}
		used, reserved := min(pick(), 1<<40), min(pick(), 1<<40)
		output, err := b.take(used, reserved, now)
		if err != nil {
			f := fault.From(err)
			if f.Code != fault.QuotaExceeded || f.RetryAfter <= 0 || f.RetryAfter > time.Minute || b.Monthly == 0 {
				t.Fatalf("%+v with %d used and %d reserved: %v, %s", b, used, reserved, err, f.RetryAfter)
			}
			continue
		}
		if output <= 0 || output > b.Output || b.Exact && output != b.Output || b.Monthly > 0 && used+reserved+b.Input+output > b.Monthly {
			t.Fatalf("%+v with %d used and %d reserved: %d", b, used, reserved, output)
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
