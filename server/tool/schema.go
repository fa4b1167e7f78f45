package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSchema bounds, in bytes, the schema of a tool's arguments.
const MaxSchema = 32 << 10

// The bounds of a schema beside its bytes. Making one ready costs time and memory.
const (
	maxNodes    = 2000 // values of any kind
	maxDepth    = 32
	maxPatterns = 2 << 10 // bytes of all patterns
	maxNumber   = 400     // characters of a number, and its exponent
)

var (
	toolName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	repeats  = regexp.MustCompile(`\{\s*\d{3,}|\{\s*\d*\s*,\s*\d{3,}`)
)

// CheckName says in words what is wrong with a tool's name; nil when every provider takes it.
func CheckName(name string) error {
	if !toolName.MatchString(name) {
		return errors.New("must have 1 to 64 letters, digits, _ and -")
	}
	return nil
}

// CheckSchema says in words what is wrong with the schema of a tool's arguments; nil when it is one of an object, within bounds, that refers only to its own parts.
func CheckSchema(raw json.RawMessage) error {
	var head struct {
		Type any `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Type != "object" {
		return errors.New(`must be a JSON schema of an object: {"type": "object", "properties": {...}}`)
	}
	_, err := compile(raw)
	return err
}

// errRemote keeps a schema from reading files and addresses.
var errRemote = errors.New("a schema may only refer to its own parts")

type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errRemote }

// compiled is a schema that arguments can be held against, one at a time: its budget is spent by one validation.
type compiled struct {
	mu     sync.Mutex
	schema *jsonschema.Schema
	budget *budget
	nodes  int
}

func compile(raw json.RawMessage) (*compiled, error) {
	if len(raw) > MaxSchema {
		return nil, fmt.Errorf("must have at most %d bytes", MaxSchema)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("must be JSON")
	}
	b := bounds{nodes: maxNodes, patterns: maxPatterns}
	if !b.hold(doc, maxDepth) {
		return nil, fmt.Errorf("is too large: it may have %d values, %d levels, %d bytes of patterns with repetitions below 100, and numbers of %d digits", maxNodes, maxDepth, maxPatterns, maxNumber)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	spent := &budget{}
	c.UseRegexpEngine(spent.pattern)
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "urn:clawless:budget", Compile: func(_ *jsonschema.CompilerContext, obj map[string]any) (jsonschema.SchemaExt, error) {
		return weigh(spent, obj), nil
	}})
	c.AssertVocabs()
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, errors.New("cannot be read as a JSON schema")
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		return nil, errors.New("must be a valid JSON schema that refers only to its own parts")
	}
	return &compiled{schema: s, budget: spent, nodes: maxNodes - b.nodes}, nil
}

// bounds are used up by the values of a schema.
type bounds struct{ nodes, patterns int }

func (b *bounds) hold(v any, depth int) bool {
	if b.nodes--; b.nodes < 0 || depth < 0 {
		return false
	}
	switch v := v.(type) {
	case json.Number:
		return isShort(v)
	case []any:
		for _, one := range v {
			if !b.hold(one, depth-1) {
				return false
			}
		}
	case map[string]any:
		for name, one := range v {
			if !b.pattern(name, one) || !b.hold(one, depth-1) {
				return false
			}
		}
	}
	return true
}

func (b *bounds) pattern(keyword string, v any) bool {
	var patterns []string
	switch v := v.(type) {
	case string:
		if keyword == "pattern" {
			patterns = append(patterns, v)
		}
	case map[string]any:
		for p := range v {
			if keyword == "patternProperties" {
				patterns = append(patterns, p)
			}
		}
	}
	for _, p := range patterns {
		if b.patterns -= len(p); b.patterns < 0 || repeats.MatchString(p) {
			return false
		}
	}
	return true
}

// isShort reports whether a number can be made exact without filling the memory: 1e999999999 cannot.
func isShort(n json.Number) bool {
	digits, exponent, _ := strings.Cut(strings.ToLower(n.String()), "e")
	exponent = strings.TrimLeft(exponent, "+-0")
	return len(digits) <= maxNumber && (len(exponent) < 3 || len(exponent) == 3 && exponent <= "400")
}

// maxCached bounds the values of all schemas that are kept ready.
const maxCached = 50_000

// ready are the schemas that are ready, by their text.
var ready = shelf{byText: map[string]*compiled{}}

type shelf struct {
	mu     sync.Mutex
	byText map[string]*compiled
	nodes  int
}

// of returns the schema made ready, mostly from the shelf.
func (s *shelf) of(raw json.RawMessage) (*compiled, error) {
	s.mu.Lock()
	c := s.byText[string(raw)]
	s.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := compile(raw)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byText[string(raw)]; other != nil {
		return other, nil
	}
	for text, old := range s.byText { // any will do: those in use come back
		if s.nodes+c.nodes <= maxCached {
			break
		}
		delete(s.byText, text)
		s.nodes -= old.nodes
	}
	s.byText[string(raw)] = c
	s.nodes += c.nodes
	return c, nil
}
