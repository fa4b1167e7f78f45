package calculate

import (
	"context"
	"fmt"
	"math/big"
)

// maxDepth bounds how deep parentheses and signs may stand in each other.
const maxDepth = 200

// parser computes while it reads.
type parser struct {
	ctx    context.Context
	tokens []token
	depth  int
	note   string
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// sees reports whether the next token is one of these signs or words.
func (p *parser) sees(texts ...string) bool {
	t := p.peek()
	for _, text := range texts {
		if (t.kind == sign || t.kind == word) && t.text == text {
			return true
		}
	}
	return false
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return wrong(p.peek().at, "the expression is nested deeper than %d levels", maxDepth)
	}
	return p.ctx.Err()
}

func (p *parser) whole() (value, error) {
	if p.peek().kind == end {
		return value{}, wrong(1, "the expression is empty")
	}
	v, err := p.sum()
	if err != nil {
		return value{}, err
	}
	return v, p.expectEnd()
}

func (p *parser) expectEnd() error {
	t := p.peek()
	switch {
	case t.kind == end:
		return nil
	case t.text == ",":
		return wrong(t.at, "a comma stands between the arguments of a function; write 1000 and 1.5 without one")
	case t.text == ")":
		return wrong(t.at, "a closing parenthesis has no opening one")
	case t.kind == word && !known(t.text):
		return wrong(t.at, "%q is not known; write numbers without units", t.text)
	}
	return wrong(t.at, "an operator is missing before %s; write 2*3, not 2 3", t)
}

// sum is terms with + and - between them.
func (p *parser) sum() (value, error) {
	left, err := p.product()
	for err == nil && p.sees("+", "-") {
		op := p.next()
		var right value
		if right, err = p.product(); err != nil {
			break
		}
		if right.percent && !left.percent {
			p.note = fmt.Sprintf("(per cent of nothing else: the value after %s counted as a number such as 0.1; for ten per cent more write x * 110%%)", op.text)
		}
		if op.text == "-" {
			right = right.negated()
		}
		left, err = add(left, right)
		err = p.placed(op, err)
	}
	return left, err
}

// placed adds the place to an error.
func (p *parser) placed(t token, err error) error {
	if err != nil {
		return wrong(t.at, "%w", err)
	}
	return p.ctx.Err()
}

// product is factors with *, / and the remainder between them.
func (p *parser) product() (value, error) {
	left, err := p.signed()
	for err == nil && p.sees("*", "/", "%", "of", "mod") {
		op := p.next()
		var right value
		if right, err = p.signed(); err != nil {
			break
		}
		switch op.text {
		case "/":
			left, err = divide(left, right)
		case "%", "mod":
			left, err = modulo(left, right)
		default:
			left, err = multiply(left, right)
		}
		err = p.placed(op, err)
	}
	return left, err
}

// signed is a power with signs before it: -2^2 is -4.
func (p *parser) signed() (value, error) {
	if err := p.deeper(); err != nil {
		return value{}, err
	}
	defer func() { p.depth-- }()
	switch {
	case p.sees("-"):
		p.next()
		v, err := p.signed()
		return v.negated(), err
	case p.sees("+"):
		p.next()
		return p.signed()
	}
	base, err := p.postfix()
	if err != nil || !p.sees("^") {
		return base, err
	}
	op := p.next()
	exponent, err := p.signed() // from the right: 2^3^2 is 2^9
	if err != nil {
		return value{}, err
	}
	v, err := power(base, exponent)
	return v, p.placed(op, err)
}

// postfix is an operand with ! and % after it.
func (p *parser) postfix() (value, error) {
	v, err := p.operand()
	for err == nil {
		switch {
		case p.sees("!"):
			op := p.next()
			v, err = factorial(v)
			err = p.placed(op, err)
		case p.sees("%") && !p.beginsOperand(1):
			op := p.next()
			v, err = divide(v, whole(100))
			v.percent = true
			err = p.placed(op, err)
		default:
			return v, nil
		}
	}
	return v, err
}

// beginsOperand reports whether an operand stands after so many tokens: then % is the remainder, and per cent otherwise.
func (p *parser) beginsOperand(after int) bool {
	if after >= len(p.tokens) {
		return false
	}
	t := p.tokens[after]
	return t.kind == number || t.kind == sign && t.text == "(" || t.kind == word && t.text != "of" && t.text != "mod"
}

func (p *parser) operand() (value, error) {
	t := p.next()
	switch {
	case t.kind == number:
		return p.bounded(t, value{r: t.number, exact: true})
	case t.kind == sign && t.text == "(":
		v, err := p.sum()
		if err != nil {
			return value{}, err
		}
		if !p.sees(")") {
			return value{}, p.unclosed(t)
		}
		p.next()
		v.percent = false
		return v, nil
	case t.kind == word && constants[t.text] != nil:
		return value{r: constants[t.text](), exact: false}, nil
	case t.kind == word && functions[t.text] != nil:
		return p.call(t)
	case t.kind == word:
		return value{}, wrong(t.at, "%q is not known; there are the functions %s and the constants e and pi, and numbers are written without units", t.text, functionNames())
	case t.kind == end:
		return value{}, wrong(t.at, "the expression ends where a number is expected")
	}
	return value{}, wrong(t.at, "a number is expected, not %s", t)
}

func (p *parser) unclosed(open token) error {
	if t := p.peek(); t.kind != end {
		return p.expectEnd()
	}
	return wrong(open.at, "the parenthesis is never closed")
}

func (p *parser) bounded(t token, v value) (value, error) {
	v, err := v.bounded()
	return v, p.placed(t, err)
}

// call reads the arguments of a function and calls it.
func (p *parser) call(name token) (value, error) {
	open := p.peek()
	if !p.sees("(") {
		return value{}, wrong(name.at, "the function %s needs parentheses: %s(...)", name.text, name.text)
	}
	p.next()
	var args []value
	for !p.sees(")") || len(args) > 0 {
		v, err := p.sum()
		if err != nil {
			return value{}, err
		}
		args = append(args, v)
		if p.sees(",") {
			p.next()
			continue
		}
		if !p.sees(")") {
			return value{}, p.unclosed(open)
		}
		break
	}
	p.next()
	f := functions[name.text]
	if len(args) < f.least || len(args) > f.most {
		return value{}, wrong(name.at, "%s takes %s, not %d", name.text, f.takes(), len(args))
	}
	v, err := f.do(args)
	if err == nil {
		v, err = v.bounded()
	}
	return v, p.placed(name, err)
}

// whole makes a value of a whole number.
func whole(n int64) value { return value{r: new(big.Rat).SetInt64(n), exact: true} }
