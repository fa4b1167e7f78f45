package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// runBlock is a fenced block that a reader is meant to type; the word run is not shown by those who render it.
var runBlock = regexp.MustCompile("(?s)```sh run\n(.*?)```")

// TestDocumentedCommands types what the README and the guides tell a reader to type, page by page, in one shell each, against a server of its own.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, found := t.TempDir(), 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var shell strings.Builder
		for _, m := range runBlock.FindAllStringSubmatch(string(text), -1) {
			shell.WriteString(m[1] + "\n")
			found++
		}
		if shell.Len() == 0 {
			continue
		}
		// The one thing that differs from what is printed is the port, which a test may not fix.
		body := strings.ReplaceAll(shell.String(), "http://127.0.0.1:8787", "$URL")
		script := "server\nexec bash page.sh\ncp stdout page.out\n" + expectations[filepath.Base(page)] + "\nstopserver\n-- page.sh --\nset -euo pipefail\n" + body
		name := strings.TrimSuffix(filepath.Base(page), ".md") + ".txtar"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found < 5 {
		t.Fatalf("only %d blocks to type were found in the README and docs", found)
	}
	params := scriptParams(dir)
	testscript.Run(t, params)
}

// expectations are what a page promises that its commands print.
var expectations = map[string]string{
	"README.md":   "stdout 'data: \\[DONE\\]'\nstdout 'Earlier you said: \"My name is Ada.\"'\nstdout 'data-key=\"clw_pk_'",
	"sessions.md": "stdout '^1 user$'\nstdout '^2 assistant$'\nstdout '^completed$'\nstdout '^id: 2$'",
}

// TestRecordedOutput holds what the README shows of a real model to the record that `make e2e-llm` wrote.
func TestRecordedOutput(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile("../../docs/e2e-llm.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(readme), "<!-- from docs/e2e-llm.md -->")
	shown, _, closed := strings.Cut(strings.TrimSpace(after), "\n```\n")
	if !ok || !closed || !strings.HasPrefix(shown, "```text\n") {
		t.Fatal("the README has no recorded output")
	}
	if !strings.Contains(string(record), shown) {
		t.Errorf("docs/e2e-llm.md does not hold what the README shows:\n%s", shown)
	}
}
