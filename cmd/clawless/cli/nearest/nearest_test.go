package nearest

import "testing"

func TestTo(t *testing.T) {
	words := []string{"addr", "data_dir", "database_url", "log_level", "log_format", "models", "create", "list", "delete"}
	for word, want := range map[string]string{
		"adr":           "addr",
		"address":       "addr",
		"addr":          "addr",
		"data-dir":      "data_dir",
		"DATA_DIR":      "data_dir",
		"datadir":       "data_dir",
		"databse_url":   "database_url",
		"database":      "database_url",
		"log_lvel":      "log_level",
		"model":         "models",
		"craete":        "create",
		"lsit":          "list",
		"remove":        "",
		"x":             "",
		"":              "",
		"völlig_anders": "",
	} {
		if got := To(word, words); got != want {
			t.Errorf("To(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Ask("adr", words); got != "; did you mean addr?" {
		t.Errorf("Ask gave %q", got)
	}
	if got := Ask("zzzzzz", words); got != "" {
		t.Errorf("Ask gave %q for a word near nothing", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
