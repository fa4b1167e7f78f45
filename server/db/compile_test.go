package db_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/db"
)

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		name, text, lite, pg string
		liteNames, pgNames   []string
	}{
		{"plain", "SELECT 1", "SELECT 1", "SELECT 1", nil, nil},
		{"one", "a = :b", "a = ?", "a = $1", []string{"b"}, []string{"b"}},
		{"repeated", ":a, :b, :a", "?, ?, ?", "$1, $2, $1", []string{"a", "b", "a"}, []string{"a", "b"}},
		{"prefix of another", ":a :ab", "? ?", "$1 $2", []string{"a", "ab"}, []string{"a", "ab"}},
		{"no space", "(:a,:b)", "(?,?)", "($1,$2)", []string{"a", "b"}, []string{"a", "b"}},
		{"cast", ":a::bigint", "?::bigint", "$1::bigint", []string{"a"}, []string{"a"}},
		{"cast of a literal", "'5'::text", "'5'::text", "'5'::text", nil, nil},
		{"literal", "':a' || :b", "':a' || ?", "':a' || $1", []string{"b"}, []string{"b"}},
		{"literal with a doubled quote", "'it''s :a' || :b", "'it''s :a' || ?", "'it''s :a' || $1", []string{"b"}, []string{"b"}},
		{"empty literal", "'' || :b", "'' || ?", "'' || $1", []string{"b"}, []string{"b"}},
		{"literal with a placeholder", "'?$1;' || :b", "'?$1;' || ?", "'?$1;' || $1", []string{"b"}, []string{"b"}},
		{"quoted identifier", `":a" = :b`, `":a" = ?`, `":a" = $1`, []string{"b"}, []string{"b"}},
		{"line comment", "a -- :x's\n = :b", "a -- :x's\n = ?", "a -- :x's\n = $1", []string{"b"}, []string{"b"}},
		{"line comment at the end", "a -- :x", "a -- :x", "a -- :x", nil, nil},
		{"block comment", "a /* :x ' */ = :b", "a /* :x ' */ = ?", "a /* :x ' */ = $1", []string{"b"}, []string{"b"}},
		{"division and minus", "a / b - :c", "a / b - ?", "a / b - $1", []string{"c"}, []string{"c"}},
		{"colon before no name", "a : b :1", "a : b :1", "a : b :1", nil, nil},
		{"digits and underscores", ":a_1", "?", "$1", []string{"a_1"}, []string{"a_1"}},
		{"letters beyond ASCII", "'é' || :é", "'é' || ?", "'é' || $1", []string{"é"}, []string{"é"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lite, liteNames, pg, pgNames, err := db.Compile(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if lite != c.lite || !slices.Equal(liteNames, c.liteNames) {
				t.Errorf("SQLite: %q %q", lite, liteNames)
			}
			if pg != c.pg || !slices.Equal(pgNames, c.pgNames) {
				t.Errorf("Postgres: %q %q", pg, pgNames)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, text := range []string{
		"a = ?", "a = $1", "a = @b", "SELECT `a`", "SELECT [a]", "a #> b", "SELECT 1; DROP TABLE tenants", "SELECT $$a$$",
		"'open", `"open`, "/* open", "/* a /* b */ */", `E'\''`, "x'00'", "U&'a'", "a\x00b", "'a\x00'",
	} {
		if _, _, _, _, err := db.Compile(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// FuzzCompile holds the compiler to what can be said of every text: it never panics, both engines get the same names,
// a text without names is left as it is, and putting the names back gives the text again.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"a = :b", "':a' :b::text -- :c\n :b", "/* : */ :a", `":a"`, "'it''s' :x", "::", ":", ":a:b", "é:é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lite, liteNames, pg, pgNames, err := db.Compile(text)
		if err != nil {
			return
		}
		for _, name := range liteNames {
			if !slices.Contains(pgNames, name) {
				t.Fatalf("%q: %q of SQLite is not among %q", text, name, pgNames)
			}
		}
		if len(liteNames) < len(pgNames) {
			t.Errorf("%q: %q has fewer names than %q", text, liteNames, pgNames)
		}
		if len(liteNames) == 0 && (lite != text || pg != text) {
			t.Errorf("%q was changed to %q and %q", text, lite, pg)
		}
		if rebuilt := rebuild(lite, liteNames); !strings.ContainsAny(text, "?'\"-/") && rebuilt != text {
			t.Errorf("%q came back as %q", text, rebuilt)
		}
	})
}

// rebuild puts the names back; only for texts without literals and comments, where every ? is a placeholder.
func rebuild(lite string, names []string) string {
	for _, name := range names {
		lite = strings.Replace(lite, "?", ":"+name, 1)
	}
	return lite
}
