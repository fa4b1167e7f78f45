package llm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestParts: what is a list is split as a decoder splits it, and nothing else is.
func TestParts(t *testing.T) {
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("ab+/", 1000) + `"}}`
	for _, c := range []string{`[]`, ` [ ] `, `[1]`, `[ {"a":"b,]\\"} , "c\"]" ,[1,[2]],{}]`, `["\\\\\"",3]`, "[" + image + `,{"type":"text","text":"a"}]`} {
		var want []json.RawMessage
		if err := json.Unmarshal([]byte(c), &want); err != nil {
			t.Fatal(err)
		}
		got, ok := Parts(json.RawMessage(c))
		if !ok || !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%.60s: %s", c, got)
		}
	}
	for _, c := range []string{``, `null`, `"text"`, `"[1]"`, `{"a":[1]}`, `[`, `[1,]`, `["a]`, `[}]`, `[{]`, `1]`} {
		if got, ok := Parts(json.RawMessage(c)); ok {
			t.Errorf("%s: %s", c, got)
		}
	}
}

// FuzzUnquote: what a decoder reads is read alike.
func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`""`, `"a"`, `"a\n\"b\\\/\u0041\ud83d\ude00"`, `"`, `"\"`, `"a\x"`, `"\\"`, "\"\xff\"", `"\ud800"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, quoted string) {
		var want string
		if json.Unmarshal([]byte(quoted), &want) != nil || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
			return // no more is promised than to read what is valid
		}
		if got, ok := Unquote(json.RawMessage(quoted)); !ok || got != want {
			t.Errorf("%q: %q and not %q", quoted, got, want)
		}
	})
}
