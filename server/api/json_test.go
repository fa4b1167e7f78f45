package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzCheckJSON: the check accepts nothing that Go's decoder refuses, refuses nothing that has each key once, and never fails in another way.
func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{"", "null", "1", `"a"`, "{}", "[]", `{"a":1,"b":[true,{"c":null}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[[[[]]]]`, ` { "a" : [ 1 , 2 ] } `, `{"a\"b":1,"a\\":2}`, "{\"\xff\":1}", strings.Repeat("[", 300)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := CheckJSON(data)
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

// TestNearest: a slip of the finger finds its field, another word finds none.
func TestNearest(t *testing.T) {
	names := []string{"name", "tier", "settings", "default_model", "monthly_tokens"}
	for word, want := range map[string]string{"nmae": "name", "naem": "name", "Tier": "tier", "setting": "settings", "defaultModel": "default_model", "monthlytoken": "monthly_tokens", "colour": "", "": ""} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

// TestCursors: a position comes back as it was, and nothing else is one.
func TestCursors(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_123_456)
	if got, id, err := ParseTimeCursor(TimeCursor(at, "ses_x y")); err != nil || !got.Equal(at) || id != "ses_x y" {
		t.Errorf("%s %q %v", got, id, err)
	}
	if n, err := ParseNumberCursor(NumberCursor(42)); err != nil || n != 42 {
		t.Errorf("%d %v", n, err)
	}
	for _, bad := range []string{"x", "AAAA", NumberCursor(-1), TimeCursor(at, "a"), "bg"} {
		if n, err := ParseNumberCursor(bad); err == nil {
			t.Errorf("%s is the number %d", bad, n)
		}
	}
	for _, bad := range []string{"x", "AAAA", NumberCursor(1), "dCA"} {
		if at, id, err := ParseTimeCursor(bad); err == nil {
			t.Errorf("%s is the position %s %s", bad, at, id)
		}
	}
}
