package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestOfThisTest makes the bill of the test's own binary, whose modules are known.
func TestOfThisTest(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "bill.json")
	if err := run(self, out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.BOMFormat != "CycloneDX" || doc.Metadata.Component.Type != "application" || !strings.HasPrefix(doc.Metadata.Component.PURL, "pkg:golang/github.com/clawless/clawless/build@") {
		t.Errorf("%+v", doc.Metadata)
	}
	if doc.Components[0].Name != "std" || doc.Components[0].Version != runtime.Version() {
		t.Errorf("first component %+v", doc.Components[0])
	}
	refs := map[string]bool{}
	for _, c := range doc.Components {
		if refs[c.Ref] || c.Version == "" {
			t.Errorf("component %+v", c)
		}
		refs[c.Ref] = true
	}
}

func TestNotABinary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(path, path+".json"); err == nil {
		t.Error("a text file was taken for a binary")
	}
}
