package words

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"  ,;  ":                             "",
		"Hello, World!":                      "hello world",
		"Crème brûlée ÉTÉ e\u0301te\u0301":   "creme brulee ete",
		"Tiếng Việt, Łódź, Ørsted":           "tieng viet lodz orsted",
		"don't foo_bar a-b user@example.com": "don t foo bar a b user example com",
		"v1.2.3 0x1F 3,5":                    "v1 2 3 0x1f 5",
		"ΟΔΥΣΣΕΥΣ Οδυσσεύς":                  "οδυσσευσ",
		"ПРИВЕТ ёж":                          "привет еж",
		"日本語 の テスト":                          "日本語 の テスト",
		"thanks😀thanks 👍":                    "thanks",
		"a\u0301":                            "a",
		"\u0301 b":                           "b",
		"x\xffy":                             "x y",
		strings.Repeat("é", 300):             strings.Repeat("e", 256),
	} {
		if got := Index(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "--": nil, "b A b": {"a", "b"}, "one two": {"one", "two"}, "x": {"x"}} {
		if got := Parse(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := Parse(`a" OR tenant_id:"b' | c:* -d`).Match(); got != `'a' & 'or' & 'tenant' & 'id' & 'b' & 'c' & 'd':*` {
		t.Error(got)
	}
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("lorem ipsum ", 40)
	for _, c := range []struct{ query, text, want string }{
		{"world", "hello world", "hello world"},
		{"wor", "hello\n\n  WÖRLD", "hello WÖRLD"},
		{"nothing", "hello", "hello"},
		{"needle", long + "the needle " + long, "…"},
		{"needle", "needle " + long, "needle lorem"},
		{"x", strings.Repeat("x", 1000), "x"},
		{"ü", strings.Repeat("ü", 1000), "ü"},
	} {
		got := Parse(c.query).Snippet(c.text)
		if !strings.HasPrefix(got, c.want) || !utf8.ValidString(got) || utf8.RuneCountInString(got) > snippetRunes+2 {
			t.Errorf("%s: %q (%d)", c.query, got, utf8.RuneCountInString(got))
		}
		if strings.Contains(c.text, "needle") && !strings.Contains(got, "needle") {
			t.Errorf("the snippet has no hit: %q", got)
		}
	}
}

// FuzzSplit: words are parts of the text, in order, of letters and digits alone, and cutting them again gives the same.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"Hello, Wörld", "a\u0301b", "\xff\xfe", "日本 1", `"' & | :* AND`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for w := range Split(text) {
			if w.Start < at || w.End <= w.Start || w.End > len(text) || w.Form == "" || strings.ContainsAny(w.Form, "\"'&|:*_ ()") {
				t.Fatalf("%q: %+v after %d", text, w, at)
			}
			if again := Index(w.Form); again != w.Form {
				t.Fatalf("%q becomes %q", w.Form, again)
			}
			at = w.End
		}
		if q := Parse(text); len(q) > 0 && !utf8.ValidString(q.Snippet(strings.ToValidUTF8(text, "?"))) {
			t.Fatalf("%q: a broken snippet", text)
		}
	})
}
