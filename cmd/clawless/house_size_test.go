package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

const (
	maxFile      = 400
	maxTestFile  = 800
	maxFunction  = 60
	maxPackage   = 1500
	maxInterface = 5
)

// checkFileLength covers Go and everything else that people write by hand and programs run.
func checkFileLength(h *house) (out []offence) {
	for p, b := range h.texts {
		if !slices.Contains([]string{".go", ".ts", ".sh", ".css", ".sql", ".py"}, path.Ext(p)) || isBuilt(p, b) {
			continue
		}
		limit := maxFile
		if strings.HasSuffix(p, "_test.go") || strings.Contains(path.Base(p), ".test.") {
			limit = maxTestFile
		}
		if n := bytes.Count(b, []byte("\n")); n > limit {
			out = append(out, offence{p, limit, fmt.Sprintf("%d lines, at most %d", n, limit)})
		}
	}
	slices.SortFunc(out, func(a, b offence) int { return strings.Compare(a.path, b.path) })
	return out
}

// isBuilt reports whether a program wrote the file.
func isBuilt(p string, b []byte) bool {
	head := b[:min(len(b), 2000)]
	return generatedMark.Match(head) || strings.Contains("/"+p, "/dist/") || strings.Contains("/"+p, "/testdata/")
}

func checkFunctionLength(h *house) (out []offence) {
	for _, f := range h.files {
		if f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := h.fset.Position(fn.End()).Line - h.fset.Position(fn.Pos()).Line + 1
			if n > maxFunction {
				out = append(out, h.at(fn.Pos(), fmt.Sprintf("func %s has %d lines, at most %d", fn.Name.Name, n, maxFunction)))
			}
		}
	}
	return out
}

func checkPackageLength(h *house) (out []offence) {
	pkgs := h.packages()
	for _, dir := range sortedKeys(pkgs) {
		n := 0
		for _, f := range pkgs[dir] {
			if !f.generated {
				n += f.lines
			}
		}
		if n > maxPackage {
			out = append(out, offence{pkgs[dir][0].path, 1, fmt.Sprintf("package in %s has %d lines, at most %d", dir, n, maxPackage)})
		}
	}
	return out
}

// eachInterface calls yield for every interface type that a package outside generated files and tests declares by name.
func (h *house) eachInterface(yield func(f *source, spec *ast.TypeSpec, iface *ast.InterfaceType)) {
	for _, f := range h.files {
		if f.generated || f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if iface, ok := spec.Type.(*ast.InterfaceType); ok {
					yield(f, spec, iface)
				}
			}
			return true
		})
	}
}

func checkInterfaceSize(h *house) (out []offence) {
	named := map[string]*ast.InterfaceType{}
	h.eachInterface(func(f *source, spec *ast.TypeSpec, iface *ast.InterfaceType) {
		named[f.dir+"."+spec.Name.Name] = iface
	})
	var count func(dir string, iface *ast.InterfaceType, depth int) int
	count = func(dir string, iface *ast.InterfaceType, depth int) (n int) {
		for _, field := range iface.Methods.List {
			embedded, ok := field.Type.(*ast.Ident)
			if ok && named[dir+"."+embedded.Name] != nil && depth < 5 {
				n += count(dir, named[dir+"."+embedded.Name], depth+1)
				continue
			}
			n += max(1, len(field.Names))
		}
		return n
	}
	h.eachInterface(func(f *source, spec *ast.TypeSpec, iface *ast.InterfaceType) {
		if n := count(f.dir, iface, 0); n > maxInterface {
			out = append(out, h.at(spec.Pos(), fmt.Sprintf("interface %s has %d methods, at most %d", spec.Name.Name, n, maxInterface)))
		}
	})
	return out
}

// vocabularies are the packages whose interfaces others consume, each with its reason.
var vocabularies = map[string]string{
	"server/llm": "the words between the router and the vendors: neither may import the other",
}

func checkInterfaceHome(h *house) (out []offence) {
	pkgs := h.packages()
	h.eachInterface(func(f *source, spec *ast.TypeSpec, iface *ast.InterfaceType) {
		if len(iface.Methods.List) == 0 || vocabularies[f.dir] != "" {
			return
		}
		if !usesName(pkgs[f.dir], spec) {
			out = append(out, h.at(spec.Pos(), fmt.Sprintf("interface %s is not used by its own package", spec.Name.Name)))
		}
	})
	return out
}

// usesName reports whether a file mentions the type outside its declaration and outside compile-time guards (var _ X = ...).
func usesName(files []*source, decl *ast.TypeSpec) (used bool) {
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			return n != decl
		case *ast.SelectorExpr: // x.Name is somebody else's name
			ast.Inspect(n.X, look)
			return false
		case *ast.ValueSpec:
			return len(n.Names) != 1 || n.Names[0].Name != "_"
		case *ast.Ident:
			used = used || n.Name == decl.Name.Name
		}
		return true
	}
	for _, f := range files {
		ast.Inspect(f.syntax, look)
	}
	return used
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
