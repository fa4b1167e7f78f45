package main

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

var secondSentence = regexp.MustCompile(`[.!?]\s+[A-Z]`)

// checkPackageComment wants one sentence, in one file: Package x ..., or Command x ... for a program, which is named after its folder.
func checkPackageComment(h *house) (out []offence) {
	pkgs := h.packages()
	for _, dir := range sortedKeys(pkgs) {
		first := pkgs[dir][0]
		want := "Package " + first.syntax.Name.Name + " "
		if first.syntax.Name.Name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		var found []*source
		for _, f := range pkgs[dir] {
			if f.syntax.Doc != nil {
				found = append(found, f)
			}
		}
		switch {
		case len(found) == 0:
			out = append(out, h.at(first.syntax.Name.Pos(), fmt.Sprintf("no package comment, want one that begins with %q", want)))
		case len(found) > 1:
			out = append(out, h.at(found[1].syntax.Name.Pos(), "a second package comment, the first is in "+found[0].path))
		default:
			out = append(out, h.checkSentence(found[0], want)...)
		}
	}
	return out
}

func (h *house) checkSentence(f *source, want string) []offence {
	text := strings.TrimSpace(f.syntax.Doc.Text())
	switch {
	case !strings.HasPrefix(text, want):
		return []offence{h.at(f.syntax.Doc.Pos(), fmt.Sprintf("package comment does not begin with %q", want))}
	case !strings.HasSuffix(text, ".") || secondSentence.MatchString(text):
		return []offence{h.at(f.syntax.Doc.Pos(), "package comment is not one sentence that ends with a period")}
	}
	return nil
}

// checkExportedComment covers types, functions, methods of exported types, constants and variables. A comment on a group covers its constants and variables.
func checkExportedComment(h *house) (out []offence) {
	missing := func(name *ast.Ident, kind string) {
		out = append(out, h.at(name.Pos(), fmt.Sprintf("exported %s %s has no comment", kind, name.Name)))
	}
	for _, f := range h.files {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiverName(d))) {
					missing(d.Name, "func")
				}
			case *ast.GenDecl:
				checkGroupComments(d, missing)
			}
		}
	}
	return out
}

func checkGroupComments(d *ast.GenDecl, missing func(*ast.Ident, string)) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			isAlone := d.Doc != nil && !d.Lparen.IsValid()
			if spec.Name.IsExported() && spec.Doc == nil && !isAlone {
				missing(spec.Name, "type")
			}
		case *ast.ValueSpec:
			if d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					missing(name, d.Tok.String())
				}
			}
		}
	}
}

// receiverName is the type's name of a method, without pointer and type parameters.
func receiverName(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

var emptyTypeName = regexp.MustCompile(`(?i)(manager|service|handler|helper|utils?)$`)

func checkTypeNames(h *house) (out []offence) {
	for _, f := range h.files {
		if f.generated {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && emptyTypeName.MatchString(spec.Name.Name) {
				out = append(out, h.at(spec.Pos(), "type "+spec.Name.Name))
			}
			return true
		})
	}
	return out
}

var emptyPackageNames = []string{"util", "utils", "common", "helper", "helpers", "shared", "misc", "lib"}

func checkPackageNames(h *house) (out []offence) {
	for _, f := range h.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		if slices.Contains(emptyPackageNames, name) || slices.Contains(emptyPackageNames, path.Base(f.dir)) {
			out = append(out, h.at(f.syntax.Name.Pos(), fmt.Sprintf("package %s in %s", name, f.dir)))
		}
	}
	return out
}

// checkInit allows the one init of server/api, and one below cmd/clawless whose package imports the standard library alone: it must run before the terminal
// libraries' own, and Go starts with the packages that wait for nobody.
func checkInit(h *house) (out []offence) {
	var early []offence
	for _, f := range h.files {
		if f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "init" || fn.Recv != nil {
				continue
			}
			o := h.at(fn.Pos(), "func init in "+f.dir)
			switch {
			case f.dir == "server/api" && !f.test:
			case strings.HasPrefix(f.dir, "cmd/clawless/") && !f.test && h.isStandardOnly(f.dir):
				early = append(early, o)
			default:
				out = append(out, o)
			}
		}
	}
	if len(early) > 1 {
		out = append(out, early[1:]...)
	}
	return out
}

// isStandardOnly reports whether every import of a package is of the standard library, whose paths begin with a word without a dot.
func (h *house) isStandardOnly(dir string) bool {
	ok := true
	for _, f := range h.packages()[dir] {
		h.imports(f, func(_ *ast.ImportSpec, full, _ string) {
			first, _, _ := strings.Cut(full, "/")
			ok = ok && !strings.Contains(first, ".")
		})
	}
	return ok
}

var generatedName = regexp.MustCompile(`([._]gen|^zz_.*)\.go$`)

// checkGeneratedMark wants the exact line in files that claim to be generated, by their name or by saying so.
func checkGeneratedMark(h *house) (out []offence) {
	for _, f := range h.files {
		claims := generatedName.MatchString(path.Base(f.path))
		pos := f.syntax.Package
		for _, c := range f.syntax.Comments {
			if c.Pos() < f.syntax.Package && strings.Contains(strings.ToUpper(c.Text()), "DO NOT "+"EDIT") {
				claims, pos = true, c.Pos()
			}
		}
		if claims && !f.generated {
			out = append(out, h.at(pos, `a generated file without the line "// Code generated ... DO NOT EDIT."`))
		}
	}
	return out
}
