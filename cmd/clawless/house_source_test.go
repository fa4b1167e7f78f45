package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house is the repository as the rules see it: every file that is tracked or would be, and the syntax of the Go ones.
type house struct {
	module string
	paths  []string          // every file, slash-separated, sorted
	texts  map[string][]byte // the files that are text
	files  []*source         // the Go files, testdata left out
	fset   *token.FileSet
}

// source is one Go file.
type source struct {
	path      string
	dir       string // "." for the root
	syntax    *ast.File
	lines     int
	test      bool
	external  bool // a test in package x_test, which stands outside its package like any user
	generated bool
	nested    bool // in a module of its own below the root, such as build/bench
}

var (
	generatedMark = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	modulePattern = regexp.MustCompile(`(?m)^module (\S+)`)
)

// openHouse reads the files. It fails the test when one cannot be read or parsed.
func openHouse(t *testing.T, tree fs.FS, paths []string) *house {
	t.Helper()
	h := &house{texts: map[string][]byte{}, fset: token.NewFileSet(), paths: slices.Sorted(slices.Values(paths))}
	for _, p := range h.paths {
		b, err := fs.ReadFile(tree, p)
		if err != nil {
			t.Fatalf("read %s: %v", p, err)
		}
		if bytes.IndexByte(b[:min(len(b), 8000)], 0) < 0 {
			h.texts[p] = b
		}
	}
	if m := modulePattern.FindSubmatch(h.texts["go.mod"]); m != nil {
		h.module = string(m[1])
	}
	for _, p := range h.paths {
		if path.Ext(p) == ".go" && !strings.Contains("/"+p, "/testdata/") {
			h.files = append(h.files, h.parse(t, p))
		}
	}
	return h
}

func (h *house) parse(t *testing.T, p string) *source {
	t.Helper()
	b := h.texts[p]
	syntax, err := parser.ParseFile(h.fset, p, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	s := &source{path: p, dir: path.Dir(p), syntax: syntax, lines: bytes.Count(b, []byte("\n"))}
	s.test = strings.HasSuffix(p, "_test.go")
	s.external = s.test && strings.HasSuffix(syntax.Name.Name, "_test")
	s.generated = ast.IsGenerated(syntax)
	for d := s.dir; d != "."; d = path.Dir(d) {
		if _, ok := h.texts[d+"/go.mod"]; ok {
			s.nested = true
		}
	}
	return s
}

// at makes an offence at a position of the syntax.
func (h *house) at(pos token.Pos, what string) offence {
	p := h.fset.Position(pos)
	return offence{p.Filename, p.Line, what}
}

// packages gives the files of each package by its folder, tests left out.
func (h *house) packages() map[string][]*source {
	m := map[string][]*source{}
	for _, f := range h.files {
		if !f.test {
			m[f.dir] = append(m[f.dir], f)
		}
	}
	return m
}

// imports calls yield for every import; local is its path below the module, or "" when it is a library.
func (h *house) imports(f *source, yield func(spec *ast.ImportSpec, full, local string)) {
	for _, spec := range f.syntax.Imports {
		full, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has already refused such a file
		}
		local := ""
		if full == h.module {
			local = "."
		} else if rest, ok := strings.CutPrefix(full, h.module+"/"); ok {
			local = rest
		}
		yield(spec, full, local)
	}
}

// listFiles gives what git tracks or would track. Outside a checkout (an unpacked archive) it walks instead.
func listFiles(t *testing.T, root string) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	var paths []string
	if err != nil {
		paths = walkFiles(t, root)
	} else {
		paths = strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	}
	return slices.DeleteFunc(paths, func(p string) bool {
		info, err := os.Lstat(filepath.Join(root, p))
		return err != nil || !info.Mode().IsRegular() // deleted in the work tree but still in the index, or a link
	})
}

func walkFiles(t *testing.T, root string) []string {
	t.Helper()
	skip := []string{".git", "bin", "dist", ".data", ".tools", "node_modules"}
	var paths []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		if d.IsDir() && (slices.Contains(skip, rel) || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			paths = append(paths, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
