package anthropic

import (
	"encoding/json"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// format is response_format in OpenAI's dialect.
type format struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// NativeSchema implements llm.Abilities: Claude 4.5 and later keep to a schema, if it says no more than Anthropic's compiler understands. None knows JSON as such.
func (p *Provider) NativeSchema(req *llm.Request) bool {
	var f format
	raw, ok := wire.Present(req.Params, "response_format")
	if !ok || json.Unmarshal(raw, &f) != nil {
		return !ok
	}
	return f.Type == "text" || f.native(req.Model)
}

func (f *format) native(model string) bool {
	var schema any
	return f.Type == "json_schema" && generationOf(model) >= schemas && json.Unmarshal(f.JSONSchema.Schema, &schema) == nil && compiles(schema, 0)
}

// tooMuch are the keywords that Anthropic's compiler refuses.
var tooMuch = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems",
	"minProperties", "maxProperties", "patternProperties", "propertyNames", "oneOf", "not", "if", "prefixItems", "contains", "dependentRequired", "dependentSchemas"}

// maxSchemaDepth is more than any schema that a compiler takes.
const maxSchemaDepth = 64

// compiles reports whether Anthropic takes the schema as it is: every object closed, nothing that it would refuse.
func compiles(node any, depth int) bool {
	s, ok := node.(map[string]any)
	if !ok || depth > maxSchemaDepth {
		return false
	}
	for _, word := range tooMuch {
		if _, ok := s[word]; ok {
			return false
		}
	}
	if n, ok := s["minItems"].(float64); ok && n > 1 {
		return false
	}
	if _, has := s["properties"]; (has || s["type"] == "object") && s["additionalProperties"] != false {
		return false
	}
	for _, word := range []string{"properties", "$defs", "definitions"} {
		children, _ := s[word].(map[string]any)
		for _, child := range children {
			if !compiles(child, depth+1) {
				return false
			}
		}
	}
	for _, word := range []string{"anyOf", "allOf"} {
		list, _ := s[word].([]any)
		for _, child := range list {
			if !compiles(child, depth+1) {
				return false
			}
		}
	}
	items, ok := s["items"]
	return !ok || compiles(items, depth+1)
}

// appendOutput writes the effort and the format, which share an object here.
func appendOutput(b []byte, req *llm.Request, effort string) ([]byte, *llm.Error) {
	var fields []byte
	if effort != "" {
		fields = append(fields, `,"effort":"`+effort+`"`...)
	}
	if raw, ok := wire.Present(req.Params, "response_format"); ok {
		var f format
		if json.Unmarshal(raw, &f) != nil {
			return nil, invalid("response_format", "response_format must be an object")
		}
		switch {
		case f.Type == "text":
		case f.native(req.Model):
			fields = append(append(append(fields, `,"format":{"type":"json_schema","schema":`...), f.JSONSchema.Schema...), '}')
		default:
			return nil, unsupported("response_format", req.Model+" cannot be held to this format by Anthropic; ask for it in words, or use a strict JSON schema with Claude 4.5 or later")
		}
	}
	if len(fields) > 0 {
		b = append(append(append(b, `,"output_config":{`...), fields[1:]...), '}')
	}
	return b, nil
}
