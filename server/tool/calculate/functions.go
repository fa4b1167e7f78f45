package calculate

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// function is a function of an expression.
type function struct {
	least, most int // arguments
	do          func(args []value) (value, error)
}

func (f function) takes() string {
	switch {
	case f.least == f.most && f.least == 1:
		return "1 argument"
	case f.least == f.most:
		return fmt.Sprintf("%d arguments", f.least)
	case f.most == many:
		return "at least 1 argument"
	}
	return fmt.Sprintf("%d or %d arguments", f.least, f.most)
}

const many = 2000

var constants = map[string]func() *big.Rat{
	"pi": func() *big.Rat { r, _ := pi().Rat(nil); return r },
	"e":  func() *big.Rat { r, _ := exponential(big.NewFloat(1)).Rat(nil); return r },
}

var functions = table()

func table() map[string]*function {
	one := func(do func(value) (value, error)) *function {
		return &function{1, 1, func(a []value) (value, error) { return do(a[0]) }}
	}
	two := func(do func(a, b value) (value, error)) *function {
		return &function{2, 2, func(a []value) (value, error) { return do(a[0], a[1]) }}
	}
	pick := func(sign int) func([]value) (value, error) {
		return func(a []value) (value, error) {
			return slices.MaxFunc(a, func(x, y value) int { return sign * x.r.Cmp(y.r) }), nil
		}
	}
	logarithm := func(base int64) *function { return one(func(v value) (value, error) { return logOf(v, whole(base)) }) }
	return map[string]*function{
		"abs":   one(func(v value) (value, error) { return value{r: new(big.Rat).Abs(v.r), exact: v.exact}, nil }),
		"sign":  one(func(v value) (value, error) { return whole(int64(v.r.Sign())), nil }),
		"sqrt":  one(func(v value) (value, error) { return rootOf(v, whole(2)) }),
		"cbrt":  one(func(v value) (value, error) { return rootOf(v, whole(3)) }),
		"root":  two(rootOf),
		"pow":   two(power),
		"floor": one(func(v value) (value, error) { return fromInt(floor(v.settled())), nil }),
		"ceil":  one(func(v value) (value, error) { return fromInt(floor(v.negated().settled())).negated(), nil }),
		"trunc": one(func(v value) (value, error) {
			r := v.settled()
			return fromInt(new(big.Int).Quo(r.Num(), r.Denom())), nil
		}),
		"round": {1, 2, round},
		"min":   {1, many, pick(-1)}, "max": {1, many, pick(1)}, "sum": {1, many, sum}, "avg": {1, many, average}, "mean": {1, many, average}, "median": {1, many, median},
		"mod": two(modulo), "idiv": two(func(a, b value) (value, error) {
			q, err := divide(a, b)
			if err != nil {
				return value{}, err
			}
			return fromInt(floor(q.settled())), nil
		}),
		"gcd": {2, many, divisor}, "lcm": {2, many, multiple},
		"fact": one(factorial), "ncr": two(combinations), "npr": two(permutations),
		"exp": one(expOf), "ln": one(naturalLog), "log": {1, 2, func(a []value) (value, error) { return logOf(a[0], append(a, whole(10))[1]) }}, "log10": logarithm(10), "log2": logarithm(2),
		"sin": one(func(v value) (value, error) { s, _, err := circle(v); return s, err }), "cos": one(func(v value) (value, error) { _, c, err := circle(v); return c, err }), "tan": one(tangent),
		"rad": one(func(v value) (value, error) {
			return multiply(v, value{r: new(big.Rat).Quo(constants["pi"](), big.NewRat(180, 1))})
		}),
		"deg": one(func(v value) (value, error) {
			return multiply(v, value{r: new(big.Rat).Quo(big.NewRat(180, 1), constants["pi"]())})
		}),
	}
}

func known(word string) bool { return functions[word] != nil || constants[word] != nil }

func functionNames() string { return strings.Join(slices.Sorted(maps.Keys(functions)), ", ") }

func fromInt(n *big.Int) value { return value{r: new(big.Rat).SetInt(n), exact: true} }

// settled is the value as it is meant: one that is not exact and all but whole is whole, or floor(log(1000)/log(10)) would be 2.
func (v value) settled() *big.Rat {
	if v.exact {
		return v.r
	}
	near := new(big.Rat).SetInt(floor(new(big.Rat).Add(v.r, big.NewRat(1, 2))))
	gap := new(big.Rat).Sub(v.r, near)
	if gap.Sign() == 0 || magnitude(gap) < max(magnitude(v.r), 0)-snapBits {
		return near
	}
	return v.r
}

// round rounds to digits after the point, halves away from zero.
func round(a []value) (value, error) {
	digits := int64(0)
	if len(a) == 2 {
		var err error
		if digits, err = a[1].asInt("the number of digits"); err != nil {
			return value{}, err
		}
		if digits > 1000 || digits < -1000 {
			return value{}, errors.New("the number of digits may be from -1000 to 1000")
		}
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(digits, -digits)), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	scaled := value{r: new(big.Rat).Mul(a[0].r, scale), exact: a[0].exact}.doubled()
	n := floor(new(big.Rat).Add(new(big.Rat).Abs(scaled), big.NewRat(1, 2)))
	out := new(big.Rat).SetInt(n)
	if scaled.Sign() < 0 {
		out.Neg(out)
	}
	return value{r: out.Quo(out, scale), exact: true}.bounded()
}

// doubled is settled for halves: what is all but a half is one, and rounds away from zero.
func (v value) doubled() *big.Rat {
	twice := value{r: new(big.Rat).Mul(v.r, big.NewRat(2, 1)), exact: v.exact}.settled()
	return new(big.Rat).Quo(twice, big.NewRat(2, 1))
}

func sum(a []value) (value, error) {
	out := whole(0)
	for _, v := range a {
		var err error
		if out, err = add(out, v); err != nil {
			return value{}, err
		}
	}
	return out, nil
}

func average(a []value) (value, error) {
	total, err := sum(a)
	if err != nil {
		return value{}, err
	}
	return divide(total, whole(int64(len(a))))
}

func median(a []value) (value, error) {
	sorted := slices.Clone(a)
	slices.SortFunc(sorted, func(x, y value) int { return x.r.Cmp(y.r) })
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half], nil
	}
	return average(sorted[half-1 : half+1])
}

func integers(a []value) ([]*big.Int, error) {
	out := make([]*big.Int, len(a))
	for i, v := range a {
		if !v.exact || !v.r.IsInt() {
			return nil, errors.New("all arguments must be whole numbers")
		}
		out[i] = new(big.Int).Abs(v.r.Num())
	}
	return out, nil
}

func divisor(a []value) (value, error) {
	n, err := integers(a)
	if err != nil {
		return value{}, err
	}
	out := new(big.Int)
	for _, one := range n {
		out.GCD(nil, nil, out, one)
	}
	return fromInt(out), nil
}

func multiple(a []value) (value, error) {
	n, err := integers(a)
	if err != nil {
		return value{}, err
	}
	out := big.NewInt(1)
	for _, one := range n {
		if one.Sign() == 0 {
			return whole(0), nil
		}
		out.Mul(out, new(big.Int).Quo(one, new(big.Int).GCD(nil, nil, out, one)))
		if out.BitLen() > maxBits {
			return value{}, errTooLarge
		}
	}
	return fromInt(out), nil
}
