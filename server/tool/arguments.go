package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// ArgumentsError says that the arguments of a call are not what the tool's schema asks for. Its text is for the model: it names each wrong field and repeats no value.
type ArgumentsError struct {
	Problems []string // such as: city: must be a string, not a number
}

// Error implements error.
func (e *ArgumentsError) Error() string {
	return "the arguments were not accepted; mend these and call again:\n- " + strings.Join(e.Problems, "\n- ")
}

func wrongArguments(problems ...string) error { return &ArgumentsError{Problems: problems} }

// The bounds of a call's arguments.
const (
	MaxArguments  = 4 << 20 // bytes
	maxArgNodes   = 100_000 // values of any kind
	maxProblems   = 20
	maxShownNames = 20
)

// checkArguments holds arguments against a schema, and returns them as the tool gets them: no arguments are an empty object.
func checkArguments(schema, arguments json.RawMessage) (json.RawMessage, error) {
	arguments = bytes.TrimSpace(arguments)
	if len(arguments) == 0 || string(arguments) == "null" {
		arguments = json.RawMessage("{}")
	}
	if len(arguments) > MaxArguments {
		return nil, wrongArguments(fmt.Sprintf("all together: must have at most %d bytes", MaxArguments))
	}
	if !utf8.Valid(arguments) {
		return nil, wrongArguments("all together: must be valid UTF-8")
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(arguments))
	if err != nil {
		return nil, wrongArguments("all together: must be one valid JSON object" + where(arguments))
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, wrongArguments("all together: must be a JSON object, not " + nameOf(v))
	}
	b := bounds{nodes: maxArgNodes}
	if !b.hold(v, maxDepth*2) {
		return nil, wrongArguments("all together: are nested too deep, hold too many values or too long a number")
	}
	if len(bytes.TrimSpace(schema)) == 0 {
		return arguments, nil
	}
	c, err := ready.of(schema)
	if err != nil {
		return nil, errors.New("the tool cannot be used: its schema " + err.Error())
	}
	return arguments, c.check(v)
}

// where says at which place JSON goes wrong.
func where(raw []byte) string {
	var syntax *json.SyntaxError
	var v any
	if errors.As(json.Unmarshal(raw, &v), &syntax) {
		return fmt.Sprintf("; it goes wrong at byte %d of %d", syntax.Offset, len(raw))
	}
	return ""
}

func nameOf(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}

// check holds a value against the schema.
func (c *compiled) check(v any) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget.left = maxWork
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(tooMuch); !ok {
				panic(p)
			}
			err = wrongArguments("all together: take too long to be held against the tool's schema; make them smaller")
		}
	}()
	failed := c.schema.Validate(v)
	if failed == nil {
		return nil
	}
	var wrong *jsonschema.ValidationError
	if !errors.As(failed, &wrong) {
		return wrongArguments("all together: cannot be held against the tool's schema")
	}
	l := list{known: slices.Sorted(maps.Keys(c.schema.Properties))}
	l.add(wrong)
	if l.more > 0 {
		l.problems = append(l.problems, fmt.Sprintf("and %d more", l.more))
	}
	return wrongArguments(l.problems...)
}

// list gathers what is wrong.
type list struct {
	known    []string // the names of the arguments
	problems []string
	more     int
}

func (l *list) add(e *jsonschema.ValidationError) {
	at := place(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if one, ok := k.(*kind.OneOf); ok && len(one.Subschemas) > 0 {
			l.say(at + ": fits several of the forms of which it must fit one")
			return
		}
		l.say(at + ": fits none of its allowed forms, for these reasons:")
	case *kind.Required:
		for _, name := range k.Missing {
			l.say(place(append(slices.Clone(e.InstanceLocation), name)) + ": is missing")
		}
		return
	case *kind.AdditionalProperties:
		l.unknown(e.InstanceLocation, k.Properties)
		return
	}
	if len(e.Causes) == 0 {
		l.say(at + ": " + reason(e.ErrorKind))
		return
	}
	causes := slices.Clone(e.Causes) // maps of the library have no order
	slices.SortStableFunc(causes, func(a, b *jsonschema.ValidationError) int {
		return slices.Compare(a.InstanceLocation, b.InstanceLocation)
	})
	for _, c := range causes {
		l.add(c)
	}
}

func (l *list) say(problem string) {
	switch {
	case slices.Contains(l.problems, problem):
	case len(l.problems) >= maxProblems:
		l.more++
	default:
		l.problems = append(l.problems, problem)
	}
}

func (l *list) unknown(at, names []string) {
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		problem := place(append(slices.Clone(at), name)) + ": is not known"
		if len(at) == 0 && len(l.known) > 0 {
			problem += "; there are " + some(l.known)
		} else if len(at) == 0 {
			problem += "; the tool takes no arguments"
		}
		l.say(problem)
	}
}

// place writes where in the arguments something is: orders[2].city.
func place(tokens []string) string {
	if len(tokens) == 0 {
		return "all together"
	}
	var b strings.Builder
	for i, t := range tokens {
		_, err := strconv.ParseUint(t, 10, 31)
		switch {
		case err == nil && i > 0:
			b.WriteString("[" + t + "]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(short(t, 64))
	}
	return short(b.String(), 200)
}

// short cuts a name that the model made up, and takes out of it what would break the line.
func short(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func some(names []string) string {
	if len(names) <= maxShownNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxShownNames], ", "), len(names)-maxShownNames)
}
