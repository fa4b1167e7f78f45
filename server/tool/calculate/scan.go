package calculate

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// token is a number, a word in lower case, or a sign.
type token struct {
	at     int // character, from 1
	kind   kind
	text   string
	number *big.Rat
}

type kind int

const (
	end kind = iota
	number
	word
	sign
)

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return strconv.Quote(t.text)
}

func wrong(at int, format string, args ...any) error {
	return fmt.Errorf("at character %d: %w", at, fmt.Errorf(format, args...))
}

// spelled are other spellings of signs and words.
var spelled = map[rune]string{'×': "*", '·': "*", '⋅': "*", '∙': "*", '÷': "/", '∕': "/", '−': "-", '–': "-", 'π': "pi", '√': "sqrt", '[': "(", ']': ")", '٪': "%", '％': "%"}

var superscripts = map[rune]string{'²': "2", '³': "3"}

func scan(s string) ([]token, error) {
	var out []token
	text := []rune(s)
	for i := 0; i < len(text); {
		r, at := text[i], i+1
		switch {
		case unicode.IsSpace(r):
			i++
		case r >= '0' && r <= '9' || r == '.':
			n, used, err := scanNumber(text[i:], at)
			if err != nil {
				return nil, err
			}
			out = append(out, token{at, number, string(text[i : i+used]), n})
			i += used
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			from := i
			for i < len(text) && (text[i] == '_' || text[i] < 0x80 && (unicode.IsLetter(text[i]) || unicode.IsDigit(text[i]))) {
				i++
			}
			out = append(out, token{at: at, kind: word, text: strings.ToLower(string(text[from:i]))})
		case r == '*' && i+1 < len(text) && text[i+1] == '*':
			out = append(out, token{at: at, kind: sign, text: "^"})
			i += 2
		case superscripts[r] != "":
			n, _ := new(big.Rat).SetString(superscripts[r])
			out = append(out, token{at: at, kind: sign, text: "^"}, token{at, number, string(r), n})
			i++
		default:
			t, err := scanSign(r, at, strings.TrimSpace(string(text[i+1:])) == "")
			if err != nil {
				return nil, err
			}
			if t.kind != end {
				out = append(out, t)
			}
			i++
		}
	}
	return append(out, token{at: len(text) + 1, kind: end}), nil
}

func scanSign(r rune, at int, last bool) (token, error) {
	t := string(r)
	if other := spelled[r]; other != "" {
		t = other
	}
	switch {
	case strings.Contains("+-*/^%!(),", t):
		return token{at: at, kind: sign, text: t}, nil
	case unicode.IsLetter([]rune(t)[0]) && t != string(r):
		return token{at: at, kind: word, text: t}, nil
	case r == '=' && last: // as on a pocket calculator
		return token{kind: end}, nil
	case unicode.Is(unicode.Sc, r):
		return token{}, wrong(at, "write amounts without a currency sign")
	}
	return token{}, wrong(at, "%q is not understood here", r)
}

const (
	maxDigits   = 2000
	maxExponent = 4000
)

// scanNumber reads 12, 1.5, .5, 1_000 and 2.5e-3.
func scanNumber(text []rune, at int) (*big.Rat, int, error) {
	i, points := 0, 0
	for i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] == '.' || text[i] == '_') {
		if text[i] == '.' {
			points++
		}
		i++
	}
	mantissa := strings.ReplaceAll(string(text[:i]), "_", "")
	if points > 1 || mantissa == "." || text[i-1] == '_' {
		return nil, 0, wrong(at, "%q is not a number", string(text[:i]))
	}
	if len(mantissa) > maxDigits {
		return nil, 0, wrong(at, "a number may have %d digits", maxDigits)
	}
	exponent := ""
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		from := j
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		if j > from {
			exponent, i = "e"+string(text[i+1:j]), j
			if n, err := strconv.Atoi(exponent[1:]); err != nil || n > maxExponent || n < -maxExponent {
				return nil, 0, wrong(at, "an exponent may be from -%d to %d", maxExponent, maxExponent)
			}
		}
	}
	n, ok := new(big.Rat).SetString(mantissa + exponent)
	if !ok {
		return nil, 0, wrong(at, "%q is not a number", string(text[:i]))
	}
	return n, i, nil
}
