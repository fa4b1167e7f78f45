package kit

import (
	"fmt"
	"strings"
)

// ThinkingLevels are how much a model may be told to think before it answers, in rising order.
var ThinkingLevels = []string{"off", "minimal", "low", "medium", "high"}

// Cost is what one turn cost. The zero value means that nobody said.
type Cost struct {
	// Told is whether the server gave a receipt. Unknown is whether it has no price for the model that answered.
	Told, Unknown bool
	// Micros are micro-dollars.
	Micros int64
}

// String is the cost in dollars, "price unknown", or empty when nobody said.
func (c Cost) String() string {
	switch {
	case !c.Told:
		return ""
	case c.Unknown:
		return "price unknown"
	}
	return Dollars(c.Micros)
}

// Spent adds up the costs of a conversation.
type Spent struct {
	micros   int64
	any, gap bool // some cost was told; some was not
}

// Add counts a turn. One whose cost nobody knows makes the sum a lower bound.
func (s *Spent) Add(c Cost) {
	if !c.Told || c.Unknown {
		s.gap = true
		return
	}
	s.any = true
	s.micros += c.Micros
}

// String is "total $0.0021", or "total over $0.0021" when there were turns whose cost nobody knows; empty when nothing is known.
func (s Spent) String() string {
	switch {
	case !s.any || s.gap && s.micros == 0:
		return ""
	case s.gap:
		return "total over " + Dollars(s.micros)
	}
	return "total " + Dollars(s.micros)
}

// Dollars writes micro-dollars exactly: $0, $0.000059, $0.0021, $1.50, $1,234.00.
func Dollars(micros int64) string {
	if micros == 0 {
		return "$0"
	}
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	fraction := fmt.Sprintf("%06d", micros%1_000_000)
	for len(fraction) > 2 && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	return sign + "$" + Count(int(micros/1_000_000)) + "." + fraction
}
