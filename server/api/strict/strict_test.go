package strict

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzCheck: the check accepts nothing that Go's decoder refuses, refuses nothing that has each key once, and never fails in another way.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "null", "1", `"a"`, "{}", "[]", `{"a":1,"b":[true,{"c":null}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[[[[]]]]`, ` { "a" : [ 1 , 2 ] } `, `{"a\"b":1,"a\\":2}`, "{\"\xff\":1}", strings.Repeat("[", 300)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data)
		if err == nil && !json.Valid(data) {
			t.Fatalf("%q passes", data)
		}
		if json.Valid(data) && (err == nil) != !hasDouble(json.NewDecoder(strings.NewReader(string(data))), 0) {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

// hasDouble looks for a double key or too much depth with Go's own tokenizer.
func hasDouble(d *json.Decoder, depth int) bool {
	tok, err := d.Token()
	if err != nil || depth > maxDepth {
		return err == nil
	}
	double := false
	switch tok {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, _ := d.Token()
			if name, _ := key.(string); seen[name] {
				double = true
			} else {
				seen[name] = true
			}
			double = hasDouble(d, depth+1) || double
		}
		_, _ = d.Token()
	case json.Delim('['):
		for d.More() {
			double = hasDouble(d, depth+1) || double
		}
		_, _ = d.Token()
	}
	return double
}
