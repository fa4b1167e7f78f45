package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// toolRow is a line of the table of built-in tools: the name and the effect.
var toolRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `(read|write|send)` \\| (?:no|`[a-z]+`) \\|")

// TestDocumentedTools holds the table of built-in tools to what a server says of itself.
func TestDocumentedTools(t *testing.T) {
	page, err := os.ReadFile("../../docs/tools.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range toolRow.FindAllStringSubmatch(string(page), -1) {
		want = append(want, m[1]+" "+m[2]+"\n")
	}
	slices.Sort(want)
	dir := t.TempDir()
	script := "server\nexec bash ask.sh\ncmp stdout want\nstopserver\n-- ask.sh --\nset -euo pipefail\nexport CLAWLESS_URL=$URL\nclawless tenant create acme >/dev/null\n" +
		"export CLAWLESS_API_KEY=$(clawless key create --tenant acme -o json | jq -r .key)\n" +
		"curl -fsS \"$URL/v1/tools?source=builtin\" -H \"Authorization: Bearer $CLAWLESS_API_KEY\" | jq -r '.data[] | \"\\(.name) \\(.effect)\"' | LC_ALL=C sort\n" +
		"-- want --\n" + strings.Join(want, "")
	if err := os.WriteFile(filepath.Join(dir, "tools.txtar"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, scriptParams(dir))
}
