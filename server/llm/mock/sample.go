package mock

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// sample makes a JSON text that fits the schema in a simple way: constants, enums and defaults first, then the numbers and the quoted or whole text of hint.
// A schema it cannot read gives "{}".
func sample(schema json.RawMessage, hint string) string {
	var root map[string]any
	if len(schema) == 0 || json.Unmarshal(schema, &root) != nil {
		return "{}"
	}
	s := &sampler{root: root, text: hint, numbers: numberPattern.FindAllString(hint, -1)}
	for _, m := range quotedPattern.FindAllStringSubmatch(hint, -1) {
		s.quoted = append(s.quoted, m[1]+m[2]+m[3])
	}
	if _, ok := root["type"]; !ok {
		root["type"] = "object" // the parameters of a function are an object even where the schema forgets to say so
	}
	b, err := json.Marshal(s.value(root, 0))
	if err != nil {
		return "{}"
	}
	return string(b)
}

var (
	numberPattern = regexp.MustCompile(`-?\d+(?:\.\d+)?`)
	quotedPattern = regexp.MustCompile("\"([^\"]+)\"|“([^”]+)”|`([^`]+)`")
)

type sampler struct {
	root    map[string]any
	text    string
	quoted  []string
	numbers []string
	nodes   int // values made so far
}

// maxDepth ends schemas that refer to themselves.
const maxDepth = 12

// maxNodes ends those that branch: a schema of a kilobyte could ask for more values than any memory holds.
const maxNodes = 10_000

func (s *sampler) value(schema map[string]any, depth int) any {
	if s.nodes++; depth > maxDepth || s.nodes > maxNodes {
		return nil
	}
	if ref, ok := schema["$ref"].(string); ok {
		if target, ok := s.resolve(ref); ok {
			return s.value(target, depth+1)
		}
		return nil
	}
	if v, ok := schema["const"]; ok {
		return v
	}
	if list, ok := schema["enum"].([]any); ok && len(list) > 0 {
		return s.fromEnum(list)
	}
	if v, ok := schema["default"]; ok {
		return v
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if list, ok := schema[key].([]any); ok && len(list) > 0 {
			if m, ok := list[0].(map[string]any); ok {
				return s.value(m, depth+1)
			}
		}
	}
	if list, ok := schema["allOf"].([]any); ok {
		schema = s.merged(schema, list)
	}
	switch typeOf(schema) {
	case "string":
		return s.str(schema)
	case "integer", "number":
		return s.number(schema)
	case "boolean":
		return true
	case "null":
		return nil
	case "array":
		return s.array(schema, depth)
	default:
		return s.object(schema, depth)
	}
}

// resolve follows a reference inside the schema, such as #/$defs/Point.
func (s *sampler) resolve(ref string) (map[string]any, bool) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	at := any(s.root)
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "" {
			continue
		}
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	m, ok := at.(map[string]any)
	return m, ok
}

// fromEnum prefers a value that the text names.
func (s *sampler) fromEnum(list []any) any {
	for _, v := range list {
		if word, ok := v.(string); ok && word != "" && strings.Contains(strings.ToLower(s.text), strings.ToLower(word)) {
			return v
		}
	}
	return list[0]
}

// merged is the schema with the properties and requirements of the parts of allOf.
func (s *sampler) merged(schema map[string]any, parts []any) map[string]any {
	out, props, required := map[string]any{}, map[string]any{}, []any{}
	for _, part := range append([]any{schema}, parts...) {
		m, ok := part.(map[string]any)
		if !ok {
			continue
		}
		if ref, ok := m["$ref"].(string); ok {
			if m, ok = s.resolve(ref); !ok {
				continue
			}
		}
		for k, v := range m {
			out[k] = v
		}
		if p, ok := m["properties"].(map[string]any); ok {
			for k, v := range p {
				props[k] = v
			}
		}
		if r, ok := m["required"].([]any); ok {
			required = append(required, r...)
		}
	}
	delete(out, "allOf")
	out["properties"], out["required"] = props, required
	return out
}

// typeOf is the schema's type, the first one that is not null where there are several, guessed from other keys where there is none.
func typeOf(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, v := range t {
			if name, ok := v.(string); ok && name != "null" {
				return name
			}
		}
	}
	if _, ok := schema["items"]; ok {
		return "array"
	}
	if _, ok := schema["properties"]; ok {
		return "object"
	}
	return "string"
}

// formats are examples of the string formats that JSON Schema names.
var formats = map[string]string{
	"date": "2025-01-31", "date-time": "2025-01-31T12:00:00Z", "time": "12:00:00Z", "email": "someone@example.com", "hostname": "example.com",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
}

func (s *sampler) str(schema map[string]any) string {
	if name, ok := schema["format"].(string); ok && formats[name] != "" {
		return formats[name]
	}
	v := s.text
	if len(s.quoted) > 0 {
		v = s.quoted[0]
		if len(s.quoted) > 1 {
			s.quoted = s.quoted[1:]
		}
	}
	if v == "" {
		v = "example"
	}
	runes := []rune(v)
	if n, ok := schema["maxLength"].(float64); ok && len(runes) > int(n) {
		runes = runes[:max(int(n), 0)]
	}
	if n, ok := schema["minLength"].(float64); ok && n < 1e4 {
		for len(runes) < int(n) {
			runes = append(runes, 'x')
		}
	}
	return string(runes)
}

func (s *sampler) number(schema map[string]any) any {
	n := 1.0
	if len(s.numbers) > 0 {
		if f, err := strconv.ParseFloat(s.numbers[0], 64); err == nil {
			n = f
		}
		if len(s.numbers) > 1 {
			s.numbers = s.numbers[1:]
		}
	}
	if v, ok := schema["minimum"].(float64); ok {
		n = max(n, v)
	}
	if v, ok := schema["exclusiveMinimum"].(float64); ok && n <= v {
		n = v + 1
	}
	if v, ok := schema["maximum"].(float64); ok {
		n = min(n, v)
	}
	if v, ok := schema["exclusiveMaximum"].(float64); ok && n >= v {
		n = v - 1
	}
	if typeOf(schema) == "integer" && math.Abs(n) < 1e15 {
		return int64(math.Round(n))
	}
	return n
}

func (s *sampler) array(schema map[string]any, depth int) []any {
	items, _ := schema["items"].(map[string]any)
	n := 1.0
	if v, ok := schema["minItems"].(float64); ok {
		n = min(max(n, v), 100)
	}
	out := make([]any, 0, int(n))
	for range int(n) {
		if items == nil {
			items = map[string]any{"type": "string"}
		}
		out = append(out, s.value(items, depth+1))
	}
	return out
}

// object fills the required properties, in the order in which the schema requires them.
func (s *sampler) object(schema map[string]any, depth int) map[string]any {
	out := map[string]any{}
	props, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, r := range required {
		name, ok := r.(string)
		if !ok {
			continue
		}
		prop, ok := props[name].(map[string]any)
		if !ok {
			prop = map[string]any{"type": "string"}
		}
		out[name] = s.value(prop, depth+1)
	}
	return out
}
