package calculate

import (
	"errors"
	"math"
	"math/big"
	"sync"
)

// work is the precision, in bits, in which functions without exact values are computed.
const work = 512

func newFloat() *big.Float { return new(big.Float).SetPrec(work) }

// ln2 is the natural logarithm of 2.
var ln2 = sync.OnceValue(func() *big.Float { // 2 atanh(1/3)
	sum, power := newFloat(), newFloat().Quo(newFloat().SetInt64(2), newFloat().SetInt64(3))
	nine := newFloat().SetInt64(9)
	for k := int64(1); power.MantExp(nil) > -work; k += 2 {
		sum.Add(sum, newFloat().Quo(power, newFloat().SetInt64(k)))
		power.Quo(power, nine)
	}
	return sum
})

var pi = sync.OnceValue(func() *big.Float { // Machin: 16 atan(1/5) - 4 atan(1/239)
	a := newFloat().Mul(newFloat().SetInt64(16), atanInverse(5))
	return a.Sub(a, newFloat().Mul(newFloat().SetInt64(4), atanInverse(239)))
})

func atanInverse(n int64) *big.Float {
	sum, power := newFloat(), newFloat().Quo(newFloat().SetInt64(1), newFloat().SetInt64(n))
	square := newFloat().SetInt64(n * n)
	for k := int64(1); power.MantExp(nil) > -work; k += 2 {
		term := newFloat().Quo(power, newFloat().SetInt64(k))
		if k%4 == 3 {
			term.Neg(term)
		}
		sum.Add(sum, term)
		power.Quo(power, square)
	}
	return sum
}

// exponential is e to the x, for x of at most some ten thousand.
func exponential(x *big.Float) *big.Float {
	const halvings = 24
	k, _ := newFloat().Add(newFloat().Quo(x, ln2()), big.NewFloat(math.Copysign(0.5, float64(x.Sign())))).Int64()
	r := newFloat().Sub(x, newFloat().Mul(newFloat().SetInt64(k), ln2()))
	r.SetMantExp(r, -halvings)
	sum, term := newFloat().SetInt64(1), newFloat().SetInt64(1)
	for i := int64(1); term.Sign() != 0 && term.MantExp(nil) > -work-8; i++ {
		term.Mul(term, r).Quo(term, newFloat().SetInt64(i))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(k))
}

func expOf(v value) (value, error) {
	if v.r.Sign() == 0 {
		return whole(1), nil
	}
	if magnitude(v.r) > 15 {
		return value{}, errTooLarge
	}
	x := newFloat().SetRat(v.r)
	return ratOf(exponential(x))
}

// logarithm is the natural logarithm of a positive number.
func logarithm(x *big.Float) *big.Float {
	m := newFloat()
	e := x.MantExp(m) // m is from a half to 1
	near, _ := m.Float64()
	y := newFloat().SetFloat64(math.Log(near))
	for range 4 { // Halley's way: each step has three times the digits
		p := exponential(y)
		step := newFloat().Quo(newFloat().Sub(m, p), newFloat().Add(m, p))
		y.Add(y, step.Mul(step, big.NewFloat(2)))
	}
	return y.Add(y, newFloat().Mul(newFloat().SetInt64(int64(e)), ln2()))
}

func naturalLog(v value) (value, error) {
	if v.r.Sign() <= 0 {
		return value{}, errors.New("only numbers above zero have a logarithm")
	}
	if v.exact && v.r.Cmp(big.NewRat(1, 1)) == 0 {
		return whole(0), nil
	}
	return ratOf(logarithm(newFloat().SetRat(v.r)))
}

// logOf is the logarithm to a base, exact where it is a whole number.
func logOf(v, base value) (value, error) {
	a, err := naturalLog(v)
	if err != nil {
		return value{}, err
	}
	b, err := naturalLog(base)
	if err != nil {
		return value{}, err
	}
	q, err := divide(a, b)
	if err != nil {
		return value{}, errors.New("1 is the base of no logarithm")
	}
	if near := q.settled(); v.exact && base.exact && near.IsInt() {
		if p, err := power(base, value{r: near, exact: true}); err == nil && p.r.Cmp(v.r) == 0 {
			return value{r: near, exact: true}, nil
		}
	}
	return q, nil
}

// circle is the sine and the cosine of an angle in radians.
func circle(v value) (sine, cosine value, err error) {
	if v.exact && v.r.Sign() == 0 {
		return whole(0), whole(1), nil
	}
	if magnitude(v.r) > 100 {
		return value{}, value{}, errors.New("the angle is too large")
	}
	x := newFloat().SetRat(v.r)
	turn := newFloat().Mul(pi(), newFloat().SetInt64(2))
	turns, _ := newFloat().Quo(x, turn).Int(nil)
	x.Sub(x, newFloat().Mul(turn, newFloat().SetInt(turns)))
	s, c, term := newFloat(), newFloat().SetInt64(1), newFloat().SetInt64(1)
	for i := int64(1); i < 10 || term.Sign() != 0 && term.MantExp(nil) > -work; i++ {
		term.Mul(term, x).Quo(term, newFloat().SetInt64(i))
		signed := newFloat().Set(term)
		if i%4 >= 2 {
			signed.Neg(signed)
		}
		if i%2 == 1 {
			s.Add(s, signed)
		} else {
			c.Add(c, signed)
		}
	}
	if sine, err = snapped(s, v); err != nil {
		return value{}, value{}, err
	}
	cosine, err = snapped(c, v)
	return sine, cosine, err
}

// snapped makes nothing of what is but the error of an angle that is itself not exact: sin(pi).
func snapped(f *big.Float, angle value) (value, error) {
	if f.Sign() == 0 || !angle.exact && f.MantExp(nil) < -snapBits+max(magnitude(angle.r), 0) {
		return value{r: new(big.Rat)}, nil
	}
	return ratOf(f)
}

func tangent(v value) (value, error) {
	s, c, err := circle(v)
	if err != nil {
		return value{}, err
	}
	if c.r.Sign() == 0 {
		return value{}, errors.New("there is no tangent of a right angle")
	}
	return divide(s, c)
}
