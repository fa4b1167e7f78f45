package quotas

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/catalog"
)

// amount is what a call takes of both budgets.
type amount struct {
	Tokens int64 `db:"tokens"`
	Micros int64 `db:"micros"`
}

// totals are what a month has lost already, to calls that are settled and to those under way.
type totals struct {
	Used           int64 `db:"used_tokens"`
	Reserved       int64 `db:"reserved_tokens"`
	UsedMicros     int64 `db:"used_micros"`
	ReservedMicros int64 `db:"reserved_micros"`
	Requests       int64 `db:"requests"`
}

// left is what is there for further calls under both limits; where there is no limit, more than anybody can use.
func (m totals) left(monthly, monthlyMicros int64) amount {
	rest := amount{math.MaxInt64, math.MaxInt64}
	if monthly > 0 {
		rest.Tokens = monthly - m.Used - m.Reserved
	}
	if monthlyMicros > 0 {
		rest.Micros = monthlyMicros - m.UsedMicros - m.ReservedMicros
	}
	return rest
}

// Dearest is a price that covers each of the given ones for any call, whatever it has of prompt and of answer.
func Dearest(prices ...catalog.Price) (most catalog.Price) {
	for _, p := range prices {
		most = catalog.Price{Input: max(most.Input, p.Input), Output: max(most.Output, p.Output), CacheRead: max(most.CacheRead, p.CacheRead), CacheWrite: max(most.CacheWrite, p.CacheWrite)}
	}
	return most
}

// cost is the most that a call of so many tokens can cost: a provider may put the whole prompt into its cache, and some take more for that than for reading it.
func cost(p catalog.Price, input, output int64) int64 {
	u := llm.Usage{Input: input, Output: output}
	switch {
	case p.CacheWrite > max(p.Input, p.CacheRead):
		u.CacheWrite = input
	case p.CacheRead > p.Input:
		u.Cached = input
	}
	return p.Cost(u)
}

// affordable is how many tokens of an answer so much money pays for, at most limit; negative money pays for less than nothing.
func affordable(p catalog.Price, micros, limit int64) int64 {
	if micros < 0 {
		return -1
	}
	if p.Output <= 0 {
		return limit
	}
	high, low := bits.Mul64(uint64(micros), 1_000_000) // a price is for a million
	if high >= uint64(p.Output) {
		return limit
	}
	tokens, _ := bits.Div64(high, low, uint64(p.Output))
	return int64(min(tokens, uint64(limit)))
}

// needs is what a call takes of both budgets with an answer of so many tokens.
func (b Budget) needs(output int64) amount {
	return amount{b.Input + output, cost(b.Price, b.Input, output)}
}

func (a amount) within(rest amount) bool { return a.Tokens <= rest.Tokens && a.Micros <= rest.Micros }

// take decides how many tokens of output to hold in a month that has lost so much already.
func (b Budget) take(m totals, now time.Time) (output int64, err error) {
	if b.MonthlyMicros > 0 && !b.Priced {
		return 0, fault.New(fault.PriceUnknown, "the tenant has a budget of money (monthly_cost) and the model's price is unknown; choose another model, or the operator adds the price to prices_file").
			WithParam("model")
	}
	rest := m.left(b.Monthly, b.MonthlyMicros)
	if b.needs(b.Output).within(rest) {
		return b.Output, nil
	}
	least := b.Output // a caller's own limit is granted whole or not at all
	if !b.Exact {
		least = min(smallestAnswer, b.Output)
		prompt := b.needs(0)
		output = min(b.Output, rest.Tokens-prompt.Tokens, affordable(b.Price, rest.Micros-prompt.Micros, b.Output))
		if output >= least {
			return output, nil
		}
		if b.needs(least).within(rest) {
			return least, nil
		}
	}
	return 0, b.refuse(m, b.needs(least), now)
}

// refuse says which budget does not cover the call, and when to come again.
func (b Budget) refuse(m totals, needs amount, now time.Time) error {
	wait := func(limit, used, need int64) time.Duration {
		if need <= limit-used {
			return soon // what others hold would do
		}
		return nextPeriod(now)
	}
	if rest := m.left(b.Monthly, b.MonthlyMicros); needs.Tokens > rest.Tokens {
		return fault.New(fault.QuotaExceeded, "this month's budget of %d tokens does not cover the request (%d used, %d reserved); the operator raises it with: clawless tenant update NAME --monthly-tokens N",
			b.Monthly, m.Used, m.Reserved).WithRetryAfter(wait(b.Monthly, m.Used, needs.Tokens))
	}
	return fault.New(fault.QuotaExceeded, "this month's budget of %s (monthly_cost) does not cover the request, which may cost %s (%s used, %s reserved); the operator raises it with: clawless tenant update NAME --monthly-cost DOLLARS",
		dollars(b.MonthlyMicros), dollars(needs.Micros), dollars(m.UsedMicros), dollars(m.ReservedMicros)).WithRetryAfter(wait(b.MonthlyMicros, m.UsedMicros, needs.Micros))
}

// dollars writes micro-dollars with at least cents and no more digits than there are: $25.00, $0.000031.
func dollars(micros int64) string {
	s := strings.TrimRight(fmt.Sprintf("%06d", micros%1_000_000), "0")
	for len(s) < 2 {
		s += "0"
	}
	return fmt.Sprintf("$%d.%s", micros/1_000_000, s)
}
