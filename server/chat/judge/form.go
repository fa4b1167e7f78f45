package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Form is what a response_format asks for.
type Form struct {
	schema *jsonschema.Schema // nil: any JSON object
	raw    json.RawMessage
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
		Schema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if len(responseFormat) == 0 || json.Unmarshal(responseFormat, &f) != nil || f.Type != "json_object" && f.Type != "json_schema" {
		return nil, nil
	}
	if f.Type == "json_object" || len(f.Schema.Schema) == 0 {
		return &Form{}, nil
	}
	if len(f.Schema.Schema) > maxSchema {
		return nil, errors.New("the schema is larger than 256 KiB")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.Schema.Schema))
	if err != nil {
		return nil, errors.New("the schema is not JSON")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, errors.New("the schema cannot be read")
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		return nil, errors.New("the schema is not a valid JSON schema that refers only to its own parts")
	}
	return &Form{schema: s, raw: f.Schema.Schema}, nil
}

// Fits reports whether the text is what was asked for.
func (f *Form) Fits(text string) bool {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return false
	}
	if f.schema == nil {
		_, ok := v.(map[string]any)
		return ok
	}
	return f.schema.Validate(v) == nil
}

// Instruction asks for the form in words, for models that cannot be held to it.
func (f *Form) Instruction() string {
	const only = "Answer with one JSON object and nothing else: no text around it and no code fence."
	if f.schema == nil {
		return only
	}
	return only + " It must be valid against this JSON schema:\n" + string(f.raw)
}

// Again is said to a model whose answer was not of the form.
func (f *Form) Again() string {
	return "Your last answer was not valid. " + f.Instruction()
}
