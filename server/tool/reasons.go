package tool

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// reason says in words what a value must be. It repeats what the schema says and never the value.
func reason(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + types(k.Want) + ", not " + article(k.Got)
	case *kind.Enum:
		return "must be one of " + values(k.Want)
	case *kind.Const:
		return "must be " + values([]any{k.Want})
	case *kind.Format:
		return "must be a valid " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + short(k.Want, 200)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not repeat items; [%d] and [%d] are the same", k.Duplicates[0], k.Duplicates[1])
	case *kind.FalseSchema:
		return "is not allowed"
	case *kind.Not:
		return "is of a form that is not allowed"
	case *kind.DependentRequired:
		return short(k.Prop, 64) + " needs " + some(k.Missing) + " beside it"
	case *kind.Dependency:
		return short(k.Prop, 64) + " needs " + some(k.Missing) + " beside it"
	case *kind.AdditionalItems:
		return fmt.Sprintf("has %d items too many", k.Count)
	case *kind.PropertyNames:
		return "has a name that is not allowed: " + short(k.Property, 64)
	case *kind.Contains:
		return "holds no item of the kind that it needs"
	}
	return size(k)
}

// size says which size a value must have.
func size(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters, not %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items, not %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items, not %d", k.Want, k.Got)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d fields, not %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d fields, not %d", k.Want, k.Got)
	case *kind.MinContains:
		return fmt.Sprintf("must hold at least %d items of the kind that it needs, not %d", k.Want, len(k.Got))
	case *kind.MaxContains:
		return fmt.Sprintf("must hold at most %d items of a kind, not %d", k.Want, len(k.Got))
	}
	return "is not what the tool's schema asks for"
}

func article(kind string) string {
	switch kind {
	case "array":
		return "a list"
	case "object", "integer":
		return "an " + kind
	case "null":
		return kind
	}
	return "a " + kind
}

func types(want []string) string {
	out := make([]string, len(want))
	for i, w := range want {
		out[i] = article(w)
	}
	return strings.Join(out, " or ")
}

func values(want []any) string {
	out := make([]string, len(want))
	for i, w := range want {
		b, err := json.Marshal(w)
		if err != nil {
			b = []byte("?")
		}
		out[i] = short(string(b), 64)
	}
	return some(out)
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return short(r.Num().String(), 64)
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}
