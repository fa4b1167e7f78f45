package show

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"gopkg.in/yaml.v3"
)

func yamlToJSON(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestLayoutFits checks over many tables that a line is never wider than the terminal as long as the columns may shrink, and that columns stay aligned.
func TestLayoutFits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"", "a", "tenant", "日本語のテキスト", "emoji 🔑🔑🔑", strings.Repeat("long ", 12), "\x1b[1mbold\x1b[0m text"}
	for range 500 {
		columns := 2 + r.IntN(4)
		rows := make([][]string, 1+r.IntN(5))
		for i := range rows {
			for range columns {
				rows[i] = append(rows[i], words[r.IntN(len(words))])
			}
			rows[i][0] = "id"
		}
		fixed := make([]bool, columns)
		fixed[0] = true
		width := 2 + (columns-1)*(len(gap)+narrowest) + r.IntN(60)
		for line := range strings.Lines(layout(rows, fixed, width)) {
			if got := ansi.StringWidth(strings.TrimRight(line, "\n")); got > width {
				t.Fatalf("a line of %d columns in a terminal of %d: %q", got, width, line)
			}
			if !strings.HasPrefix(line, "id"+gap) {
				t.Fatalf("the fixed column was changed: %q", line)
			}
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain äöü 日本":           "plain äöü 日本",
		"a\tb\r\nc":              "a b  c",
		"\x1b[31mred":            "\uFFFD[31mred",
		"bell\a nul\x00 del\x7f": "bell\uFFFD nul\uFFFD del\uFFFD",
		"c1 \u009b2J":            "c1 \uFFFD2J",
		"\u202Eevil\u2066":       "\uFFFDevil\uFFFD",
		"bad utf8 \xff":          "bad utf8 \uFFFD",
	} {
		if got := Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
}
