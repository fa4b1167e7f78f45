package tool

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxWork bounds the work of holding arguments against a schema: some lines of references that double at each level are years of it.
const maxWork = 1_000_000

// budget is the work that is left; a validation that needs more ends by a panic.
type budget struct{ left int }

type tooMuch struct{}

func (b *budget) spend(n int) {
	if b.left -= n; b.left < 0 {
		panic(tooMuch{})
	}
}

// weight charges for one subschema each time a validation comes through it.
type weight struct {
	budget *budget
	base   int
	deep   bool // it looks at all that is inside a value
}

// weigh finds what a subschema costs: what does not count itself, because it fails early, is counted by the one that holds it.
func weigh(b *budget, obj map[string]any) jsonschema.SchemaExt {
	w := &weight{budget: b, base: 1}
	for name, v := range obj {
		switch v := v.(type) {
		case []any:
			w.base += len(v)
		case map[string]any:
			w.base += len(v)
		}
		w.deep = w.deep || name == "uniqueItems" || name == "enum" || name == "const"
	}
	return w
}

// Validate implements jsonschema.SchemaExt.
func (w *weight) Validate(_ *jsonschema.ValidatorContext, v any) {
	w.budget.spend(w.base)
	switch v := v.(type) {
	case []any:
		w.budget.spend(w.base * len(v))
	case map[string]any:
		w.budget.spend(w.base * len(v))
	case string:
		w.budget.spend(len(v) / 64)
	case json.Number:
		w.budget.spend(len(v))
	}
	if w.deep {
		w.walk(v)
	}
}

func (w *weight) walk(v any) {
	w.budget.spend(1)
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			w.walk(one)
		}
	case map[string]any:
		for _, one := range v {
			w.walk(one)
		}
	}
}

// pattern is the engine of the schema's patterns: each match is charged for by the steps of the pattern's program.
func (b *budget) pattern(text string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	return &charged{re, b, len(program.Inst)}, nil
}

type charged struct {
	*regexp.Regexp
	budget *budget
	steps  int
}

// MatchString implements jsonschema.Regexp.
func (c *charged) MatchString(s string) bool {
	c.budget.spend(1 + c.steps*len(s)/64)
	return c.Regexp.MatchString(s)
}
