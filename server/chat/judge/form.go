package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Form is what a response_format asks for.
type Form struct {
	raw json.RawMessage // the schema; nil: any JSON object
	doc any             // the same, decoded

	schema *jsonschema.Schema // once it is made
	steps  *steps
}

// maxSteps bounds the work of holding one answer against a schema: some lines of references that double at each level are years of it.
const maxSteps = 1_000_000

// steps counts the subschemas that a validation comes through, and ends it by a panic when there are too many.
type steps struct{ left int }

type tooMuch struct{}

// Validate implements jsonschema.SchemaExt.
func (s *steps) Validate(*jsonschema.ValidatorContext, any) {
	if s.left--; s.left < 0 {
		panic(tooMuch{})
	}
}

// errRemote keeps a schema from reading files and addresses.
var errRemote = errors.New("a schema may only refer to its own parts")

type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errRemote }

// maxSchema bounds, in bytes, the schema that is checked here.
const maxSchema = 256 << 10

// FormOf reads a response_format; nil when it asks for plain text. The error says what is wrong with the schema, in words that may be shown.
func FormOf(responseFormat json.RawMessage) (*Form, error) {
	var f struct {
		Type   string `json:"type"`
		Schema *struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if len(responseFormat) > 0 {
		_ = json.Unmarshal(responseFormat, &f) // what is no object asks for nothing here; the provider says what it thinks of it
	}
	if f.Type != "json_object" && f.Type != "json_schema" {
		return nil, nil
	}
	if f.Type == "json_object" {
		return &Form{}, nil
	}
	if f.Schema == nil {
		return nil, errors.New("json_schema is missing, with a name and a schema")
	}
	if len(f.Schema.Schema) == 0 {
		return &Form{}, nil
	}
	if len(f.Schema.Schema) > maxSchema {
		return nil, errors.New("the schema is larger than 256 KiB")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.Schema.Schema))
	if err != nil {
		return nil, errors.New("the schema is not JSON")
	}
	return &Form{raw: f.Schema.Schema, doc: doc}, nil
}

// The bounds of a schema that is checked here. Making one ready costs time and memory that no budget sees.
const (
	maxNodes    = 4000 // values of any kind
	maxDepth    = 64
	maxPatterns = 4 << 10 // bytes of all patterns
)

var repeats = regexp.MustCompile(`\{\s*\d{3,}|\{\s*\d*\s*,\s*\d{3,}`)

// Ready makes the schema ready to hold answers against. Its error says, in words that may be shown, why it cannot be. Without it a schema fits nothing.
func (f *Form) Ready() error {
	if f.raw == nil || f.schema != nil {
		return nil
	}
	nodes, patterns := maxNodes, maxPatterns
	if !bounded(f.doc, maxDepth, &nodes, &patterns) {
		return errors.New("the schema is too large to be checked here: it may have 4,000 values, 64 levels, 4 KiB of patterns, and repetitions below 100 in them")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	counted := &steps{}
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "urn:clawless:steps", Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return counted, nil }})
	c.AssertVocabs()
	if err := c.AddResource("schema.json", f.doc); err != nil {
		return errors.New("the schema cannot be read")
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		return errors.New("the schema is not a valid JSON schema that refers only to its own parts")
	}
	f.schema, f.steps, f.doc = s, counted, nil
	return nil
}

// bounded reports whether a schema stays within its bounds, which it uses up.
func bounded(v any, depth int, nodes, patterns *int) bool {
	if *nodes--; *nodes < 0 || depth < 0 {
		return false
	}
	pattern := func(s string) bool {
		*patterns -= len(s)
		return *patterns >= 0 && !repeats.MatchString(s)
	}
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			if !bounded(one, depth-1, nodes, patterns) {
				return false
			}
		}
	case map[string]any:
		for name, one := range v {
			if s, ok := one.(string); ok && name == "pattern" && !pattern(s) {
				return false
			}
			if inner, ok := one.(map[string]any); ok && name == "patternProperties" {
				for p := range inner {
					if !pattern(p) {
						return false
					}
				}
			}
			if !bounded(one, depth-1, nodes, patterns) {
				return false
			}
		}
	}
	return true
}

// Fits reports whether the text is what was asked for. What would take too long to find out does not fit. It is called by one goroutine.
func (f *Form) Fits(text string) (fits bool) {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return false
	}
	if f.raw == nil {
		_, ok := v.(map[string]any)
		return ok
	}
	if f.Ready() != nil {
		return false
	}
	f.steps.left = maxSteps
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(tooMuch); !ok {
				panic(p)
			}
			fits = false
		}
	}()
	return f.schema.Validate(v) == nil
}

// Instruction asks for the form in words, for models that cannot be held to it.
func (f *Form) Instruction() string {
	const only = "Answer with one JSON object and nothing else: no text around it and no code fence."
	if f.raw == nil {
		return only
	}
	return only + " It must be valid against this JSON schema:\n" + string(f.raw)
}

// Again is said to a model whose answer was not of the form.
func (f *Form) Again() string {
	return "Your last answer was not valid. " + f.Instruction()
}
