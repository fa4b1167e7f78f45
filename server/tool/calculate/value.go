package calculate

import (
	"errors"
	"math/big"
	"strings"
)

// value is a number. One that is not exact is right to more digits than are shown.
type value struct {
	r       *big.Rat
	exact   bool
	percent bool // it was written as per cent
}

// The bounds of numbers.
const (
	maxBits  = 1 << 15 // of a numerator and a denominator together
	precise  = 320     // bits of numbers that are not exact
	snapBits = 240     // what is smaller than its operands by so many bits is nothing but their error
	shown    = 40      // digits of a number that is rounded for showing
	maxExact = 60      // decimals of a number that is shown exactly
	maxRatio = 60      // characters of a fraction that is shown beside its decimals
)

var (
	errTooLarge = errors.New("the number has too many digits to be computed here (more than some thousand)")
	errZero     = errors.New("division by zero")
)

func (v value) negated() value {
	if v.r == nil {
		return v
	}
	return value{r: new(big.Rat).Neg(v.r), exact: v.exact, percent: v.percent}
}

// bounded refuses numbers that are too large, and rounds those that are not exact or would be it only in a fraction of too many digits.
func (v value) bounded() (value, error) {
	if m := magnitude(v.r); v.r.Num().BitLen()+v.r.Denom().BitLen() > maxBits {
		if m > maxBits/2 || m < -maxBits/2 {
			return value{}, errTooLarge
		}
		v.exact = false
	}
	if !v.exact {
		v.r, _ = float(v.r).Rat(nil)
	}
	return v, nil
}

func float(r *big.Rat) *big.Float { return new(big.Float).SetPrec(precise).SetRat(r) }

// ratOf is the way back; numbers beyond the bounds are refused before they are written out.
func ratOf(f *big.Float) (value, error) {
	if f.IsInf() {
		return value{}, errTooLarge
	}
	if e := f.MantExp(nil); e > maxBits/2 || e < -maxBits/2 {
		return value{}, errTooLarge
	}
	r, _ := new(big.Float).SetPrec(precise).Set(f).Rat(nil)
	return value{r: r}, nil
}

func add(a, b value) (value, error) {
	v := value{r: new(big.Rat).Add(a.r, b.r), exact: a.exact && b.exact}
	if !v.exact && v.r.Sign() != 0 && a.r.Sign() != 0 {
		if magnitude(v.r) < magnitude(a.r)-snapBits {
			v.r = new(big.Rat)
		}
	}
	return v.bounded()
}

// magnitude is about the binary logarithm.
func magnitude(r *big.Rat) int { return r.Num().BitLen() - r.Denom().BitLen() }

func multiply(a, b value) (value, error) {
	return value{r: new(big.Rat).Mul(a.r, b.r), exact: a.exact && b.exact}.bounded()
}

func divide(a, b value) (value, error) {
	if b.r.Sign() == 0 {
		return value{}, errZero
	}
	return value{r: new(big.Rat).Quo(a.r, b.r), exact: a.exact && b.exact}.bounded()
}

// modulo is what is left of a after whole b, with the sign of b.
func modulo(a, b value) (value, error) {
	q, err := divide(a, b)
	if err != nil {
		return value{}, err
	}
	product, err := multiply(value{r: new(big.Rat).SetInt(floor(q.r)), exact: true}, b)
	if err != nil {
		return value{}, err
	}
	return add(a, product.negated())
}

func floor(r *big.Rat) *big.Int {
	q, m := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() < 0 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

// String writes the value: exactly where it has an end, with ≈ where it is rounded.
func (v value) String() string {
	if v.exact && v.r.IsInt() {
		return v.r.Num().String()
	}
	if v.exact {
		if n, finite := decimals(v.r.Denom()); finite && n <= maxExact {
			return v.r.FloatString(n)
		}
	}
	text := "≈ " + float(v.r).Text('g', shown)
	if !v.exact {
		return text
	}
	if ratio := v.r.RatString(); len(ratio) <= maxRatio {
		text += " (exactly " + ratio + ")"
	}
	return text
}

// decimals counts the decimals of a fraction with this denominator, if they end.
func decimals(denominator *big.Int) (n int, finite bool) {
	d := new(big.Int).Set(denominator)
	twos := int(d.TrailingZeroBits())
	d.Rsh(d, uint(twos))
	fives := 0
	for q, m := new(big.Int), new(big.Int); ; fives++ {
		if q.QuoRem(d, big.NewInt(5), m); m.Sign() != 0 || fives > maxExact {
			break
		}
		d.Set(q)
	}
	return max(twos, fives), d.IsInt64() && d.Int64() == 1
}

// asInt gives a whole number that fits into an int64.
func (v value) asInt(what string) (int64, error) {
	if !v.r.IsInt() || !v.r.Num().IsInt64() {
		return 0, errors.New(strings.TrimSpace(what) + " must be a whole number, and not a huge one")
	}
	return v.r.Num().Int64(), nil
}
