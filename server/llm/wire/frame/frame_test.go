package frame

import (
	"encoding/json"
	"fmt"
	"testing"
)

// decode reads {"a":{"content":…},"n":1}, as a vendor's decoder would.
func decode(data []byte) (Kind, string, bool) {
	var v struct {
		A struct {
			Content string `json:"content"`
		} `json:"a"`
		N int `json:"n"`
	}
	if json.Unmarshal(data, &v) != nil || v.N != 1 || v.A.Content == "" {
		return 0, "", false
	}
	return Text, v.A.Content, true
}

func learned(t *testing.T, data string) *Template {
	t.Helper()
	kind, text, ok := decode([]byte(data))
	if !ok {
		t.Fatalf("%s is no text frame", data)
	}
	var out Template
	out.Learn([]byte(data), kind, text, decode)
	return &out
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, first, second, want string
		ok                        bool
	}{
		{"the same shape", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"yé"},"n":1}`, "yé", true},
		{"escapes", `{"a":{"content":"x\""},"n":1}`, `{"a":{"content":"\u00fc\n\"\\"},"n":1}`, "ü\n\"\\", true},
		{"half a surrogate", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"\ud83d"},"n":1}`, "\ufffd", true},
		{"bytes that are no UTF-8", `{"a":{"content":"x"},"n":1}`, "{\"a\":{\"content\":\"\xff\"},\"n\":1}", "\ufffd", true},
		{"padding", `{"p":"abc","a":{"content":"x"},"n":1,"obfuscation":"q"}`, `{"p":"","a":{"content":"y"},"n":1,"obfuscation":"longer"}`, "y", true},
		{"spaces before the end", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"y"},"n":1    }`, "y", true},
		{"no text", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":""},"n":1}`, "", false},
		{"another number", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"x"},"n":2}`, "", false},
		{"a torn frame", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"x"},"n":`, "", false},
		{"a torn string", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"x`, "", false},
		{"more behind it", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"x"},"n":1}}`, "", false},
		{"a wrong escape", `{"a":{"content":"x"},"n":1}`, `{"a":{"content":"\x"},"n":1}`, "", false},
		{"a control character", `{"a":{"content":"x"},"n":1}`, "{\"a\":{\"content\":\"a\tb\"},\"n\":1}", "", false},
		{"an escape in the padding", `{"p":"a","a":{"content":"x"},"n":1}`, `{"p":"\q","a":{"content":"y"},"n":1}`, "", false},
		{"a text that stands twice", `{"content":"x","a":{"content":"x"},"n":1}`, `{"content":"y","a":{"content":"x"},"n":1}`, "", false},
		{"a value that does not count", `{"a":{"content":"x","CONTENT":"z"},"content":"z","n":1}`, `{"a":{"content":"x","CONTENT":"z"},"content":"y","n":1}`, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shape := learned(t, tt.first)
			_, got, ok := shape.Match([]byte(tt.second))
			if ok != tt.ok || got != tt.want {
				t.Errorf("got %q, %v", got, ok)
			}
			if ok {
				if _, full, fine := decode([]byte(tt.second)); !fine || full != got {
					t.Errorf("in full it is %q, %v", full, fine)
				}
			}
		})
	}
}

func TestFramesThatAllDifferAreGivenUp(t *testing.T) {
	var shape Template
	calls := 0
	for i := range 100 {
		data := fmt.Appendf(nil, `{"id":%d,"a":{"content":"x"},"n":1}`, i)
		if _, _, ok := shape.Match(data); ok {
			t.Fatal("it matched")
		}
		shape.Learn(data, Text, "x", func(b []byte) (Kind, string, bool) { calls++; return decode(b) })
	}
	if calls != maxMisses {
		t.Errorf("%d shapes were proved", calls)
	}
}

func TestShapeOutlivesItsBuffer(t *testing.T) {
	data := []byte(`{"a":{"content":"x"},"n":1}`)
	var shape Template
	shape.Learn(data, Text, "x", decode)
	clear(data)
	if _, got, ok := shape.Match([]byte(`{"a":{"content":"y"},"n":1}`)); !ok || got != "y" {
		t.Errorf("got %q, %v", got, ok)
	}
}
