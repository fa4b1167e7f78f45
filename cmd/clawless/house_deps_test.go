package main

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const reasonsFile = "docs/adr/dependencies.md"

// directDeps reads the modules that a go.mod requires by its own will.
func directDeps(mod string) (deps []string) {
	block := false
	for line := range strings.Lines(mod) {
		line = strings.TrimSpace(line)
		switch line {
		case "require (":
			block = true
			continue
		case ")":
			block = false
		}
		rest, isRequire := strings.CutPrefix(line, "require ")
		if !block && !isRequire || strings.Contains(line, "// indirect") {
			continue
		}
		if f := strings.Fields(rest); len(f) >= 2 {
			deps = append(deps, f[0])
		}
	}
	return deps
}

var reasonLine = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\|$")

// TestDependenciesHaveReasons holds every module of the repository to the list of reasons: what is not worth a line is not worth its updates.
func TestDependenciesHaveReasons(t *testing.T) {
	h := openHouse(t, os.DirFS("../.."), listFiles(t, "../.."))
	reasons := map[string]bool{}
	for _, m := range reasonLine.FindAllStringSubmatch(string(h.texts[reasonsFile]), -1) {
		reasons[m[1]] = false
		if len(strings.TrimSpace(m[2])) < 10 || strings.TrimSpace(m[3]) == "" {
			t.Errorf("%s: %s wants a reason and a licence", reasonsFile, m[1])
		}
	}
	if len(reasons) == 0 {
		t.Fatalf("%s: no line of the form | `module` | reason | licence |", reasonsFile)
	}
	for _, p := range h.paths {
		if path.Base(p) != "go.mod" || strings.Contains(p, "testdata/") {
			continue
		}
		for _, dep := range append(directDeps(string(h.texts[p])), toolLines(string(h.texts[p]))...) {
			if strings.HasPrefix(dep, h.module) {
				continue
			}
			if _, ok := reasons[dep]; !ok {
				t.Errorf("%s requires %s, which has no line in %s", p, dep, reasonsFile)
				continue
			}
			reasons[dep] = true
		}
	}
	for _, dep := range sortedKeys(reasons) {
		if !reasons[dep] {
			t.Errorf("%s: %s is required by no module", reasonsFile, dep)
		}
	}
}

var toolLine = regexp.MustCompile(`(?m)^(?:tool |\t)(\S+)$`)

// toolLines gives the modules behind the tool lines of a go.mod, which are marked indirect there.
func toolLines(mod string) (mods []string) {
	var required []string
	for line := range strings.Lines(mod) {
		if f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(f) >= 2 && strings.HasPrefix(f[1], "v") {
			required = append(required, f[0])
		}
	}
	for _, m := range toolLine.FindAllStringSubmatch(mod, -1) {
		best := ""
		for _, r := range required {
			if (m[1] == r || strings.HasPrefix(m[1], r+"/")) && len(r) > len(best) {
				best = r
			}
		}
		if best != "" {
			mods = append(mods, best)
		}
	}
	return mods
}

func TestDirectDeps(t *testing.T) {
	const mod = "module x\n\ngo 1.26\n\ntool a.b/tool/cmd/run\n\nrequire (\n\ta.b/c v1.0.0\n\ta.b/d v1.0.0 // indirect\n\ta.b/tool v2.0.0 // indirect\n)\n\nrequire a.b/e v0.1.0\n"
	if got := directDeps(mod); !slices.Equal(got, []string{"a.b/c", "a.b/e"}) {
		t.Errorf("direct: %q", got)
	}
	if got := toolLines(mod); !slices.Equal(got, []string{"a.b/tool"}) {
		t.Errorf("tools: %q", got)
	}
}
