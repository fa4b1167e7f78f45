package all

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/llmtest"
	"github.com/clawless/clawless/server/llm/mock"
)

var update = flag.Bool("update", false, "write the conformance table of docs/providers.md again")

// The table stands between these lines.
const (
	tableBegins = "<!-- conformance: what follows is written by make generate from what the tests saw -->\n"
	tableEnds   = "<!-- conformance ends -->\n"
)

// TestConformance runs every driver through every case and holds the table in the documentation to what was seen.
func TestConformance(t *testing.T) {
	var reports []*llmtest.Report
	for _, d := range Drivers() {
		t.Run(d.Name, func(t *testing.T) {
			if d.Name == mock.Driver.Name {
				p := mock.New(llm.Config{Name: d.Name})
				p.Pace = 0
				reports = append(reports, llmtest.Local(t, p, "large"))
				return
			}
			reports = append(reports, llmtest.Exercise(t, d, os.DirFS(filepath.Join("..", d.Name, "testdata"))))
		})
	}
	if t.Failed() {
		return // the table would tell of the failure only
	}
	const path = "../../../docs/providers.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegins)
	old, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		t.Fatalf("%s has lost the lines between which the table stands", path)
	}
	table := "\n" + llmtest.Table(reports) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegins+table+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("the table in %s is stale; write it again with make generate. It should be:\n%s", path, table)
	}
}
