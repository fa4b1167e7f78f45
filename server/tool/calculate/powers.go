package calculate

import (
	"errors"
	"math"
	"math/big"
)

// power is a to the b. What would be too large is told before it is computed.
func power(a, b value) (value, error) {
	switch {
	case b.r.Sign() == 0:
		return whole(1), nil
	case a.r.Sign() == 0 && b.r.Sign() < 0:
		return value{}, errZero
	case a.r.Sign() == 0:
		return whole(0), nil
	case !b.exact || !b.r.IsInt():
		return fractional(a, b)
	}
	isOne := a.r.IsInt() && a.r.Num().CmpAbs(big.NewInt(1)) == 0
	if isOne {
		if a.r.Sign() > 0 || b.r.Num().Bit(0) == 0 {
			return whole(1), nil
		}
		return whole(-1), nil
	}
	n, err := b.asInt("an exponent")
	if err != nil {
		return value{}, errTooLarge
	}
	size := max(n, -n)
	if math.Abs(log2(a.r))*float64(size) > maxBits {
		return value{}, errTooLarge
	}
	if bits := int64(max(a.r.Num().BitLen(), a.r.Denom().BitLen())); !a.exact || size > maxBits/bits {
		return inexactPower(value{r: a.r}, n)
	}
	exponent := big.NewInt(size)
	out := new(big.Rat).SetFrac(new(big.Int).Exp(a.r.Num(), exponent, nil), new(big.Int).Exp(a.r.Denom(), exponent, nil))
	if n < 0 {
		out.Inv(out)
	}
	return value{r: out, exact: true}.bounded()
}

// log2 is about the binary logarithm of a number's size.
func log2(r *big.Rat) float64 {
	m := new(big.Float)
	e := float(r).MantExp(m)
	f, _ := m.Float64()
	return float64(e) + math.Log2(math.Abs(f))
}

// inexactPower multiplies step by step, rounding each time.
func inexactPower(a value, n int64) (value, error) {
	out, square := whole(1), a
	var err error
	for size := max(n, -n); size > 0; size >>= 1 {
		if size&1 == 1 {
			if out, err = multiply(out, square); err != nil {
				return value{}, err
			}
		}
		if size > 1 {
			if square, err = multiply(square, square); err != nil {
				return value{}, err
			}
		}
	}
	if n < 0 {
		return divide(whole(1), out)
	}
	return out, nil
}

// maxRoot bounds the roots that are tried exactly.
const maxRoot = 64

func fractional(a, b value) (value, error) {
	if a.r.Sign() < 0 {
		return value{}, errors.New("a negative number has no power with a fraction in its exponent; use root(x, n) for odd roots")
	}
	if b.exact && a.exact && b.r.Denom().IsInt64() && b.r.Denom().Int64() <= maxRoot {
		if base, ok := exactRoot(a.r, int(b.r.Denom().Int64())); ok {
			return power(value{r: base, exact: true}, fromInt(b.r.Num()))
		}
	}
	ln, err := naturalLog(a)
	if err != nil {
		return value{}, err
	}
	x, err := multiply(ln, b)
	if err != nil {
		return value{}, err
	}
	return expOf(x)
}

// rootOf is the n-th root of a; of a negative number there are odd ones.
func rootOf(a, n value) (value, error) {
	k, err := n.asInt("the root's degree")
	if err != nil {
		return value{}, err
	}
	switch {
	case k < 1 || k > maxRoot:
		return value{}, errors.New("the root's degree may be from 1 to 64")
	case a.r.Sign() < 0 && k%2 == 0:
		return value{}, errors.New("a negative number has no even root")
	case a.r.Sign() < 0:
		v, err := rootOf(a.negated(), n)
		return v.negated(), err
	case k == 1 || a.r.Sign() == 0:
		return a, nil
	}
	return power(a, value{r: big.NewRat(1, k), exact: true})
}

func exactRoot(r *big.Rat, n int) (*big.Rat, bool) {
	above, ok := intRoot(r.Num(), n)
	if !ok {
		return nil, false
	}
	below, ok := intRoot(r.Denom(), n)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetFrac(above, below), true
}

// intRoot finds the whole n-th root of a positive number, if it has one, by Newton's way from above.
func intRoot(x *big.Int, n int) (*big.Int, bool) {
	if n == 2 {
		root := new(big.Int).Sqrt(x)
		return root, new(big.Int).Mul(root, root).Cmp(x) == 0
	}
	degree, less := big.NewInt(int64(n)), big.NewInt(int64(n-1))
	root := new(big.Int).Lsh(big.NewInt(1), uint(x.BitLen()/n+1))
	for {
		next := new(big.Int).Quo(x, new(big.Int).Exp(root, less, nil))
		next.Add(next, new(big.Int).Mul(root, less)).Quo(next, degree)
		if next.Cmp(root) >= 0 {
			break
		}
		root = next
	}
	return root, new(big.Int).Exp(root, degree, nil).Cmp(x) == 0
}

func factorial(v value) (value, error) {
	n, err := v.asInt("the number of a factorial")
	if err != nil {
		return value{}, err
	}
	return falling(n, n)
}

// falling is n * (n-1) * ..., k factors of it.
func falling(n, k int64) (value, error) {
	if n < 0 || k < 0 {
		return value{}, errors.New("the numbers must not be negative")
	}
	if k > n {
		return whole(0), nil
	}
	out := big.NewInt(1)
	for i := range k {
		if out.Mul(out, big.NewInt(n-i)).BitLen() > maxBits {
			return value{}, errTooLarge
		}
	}
	return fromInt(out), nil
}

func permutations(a, b value) (value, error) {
	n, err := a.asInt("n")
	if err != nil {
		return value{}, err
	}
	k, err := b.asInt("k")
	if err != nil {
		return value{}, err
	}
	return falling(n, k)
}

func combinations(a, b value) (value, error) {
	n, err := a.asInt("n")
	if err != nil {
		return value{}, err
	}
	k, err := b.asInt("k")
	if err != nil {
		return value{}, err
	}
	if k > n/2 && k <= n {
		k = n - k
	}
	above, err := falling(n, k)
	if err != nil {
		return value{}, err
	}
	below, err := falling(max(k, 0), max(k, 0))
	if err != nil {
		return value{}, err
	}
	return divide(above, below)
}
