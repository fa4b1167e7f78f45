package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkTenantInSQL reads the text of every statement that is made with db.Scoped, through constants and concatenation.
func checkTenantInSQL(h *house) (out []offence) {
	const home = "server/db"
	consts := h.stringConstants()
	for _, f := range h.files {
		if f.test || f.nested {
			continue
		}
		alias := ""
		h.imports(f, func(spec *ast.ImportSpec, _, local string) {
			if local == home {
				alias = path.Base(local)
				if spec.Name != nil {
					alias = spec.Name.Name
				}
			}
		})
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 || !isScoped(call.Fun, alias) {
				return true
			}
			if !strings.Contains(textOf(call.Args[1], f.dir, consts), "tenant_id") {
				out = append(out, h.at(call.Pos(), fmt.Sprintf("statement %s does not name tenant_id", textOf(call.Args[0], f.dir, consts))))
			}
			return true
		})
	}
	return out
}

func isScoped(fun ast.Expr, alias string) bool {
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok || alias == "" || sel.Sel.Name != "Scoped" {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == alias
}

// stringConstants finds the package-level string constants and variables by folder and name.
func (h *house) stringConstants() map[string]ast.Expr {
	m := map[string]ast.Expr{}
	for _, f := range h.files {
		for _, d := range f.syntax.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST && gen.Tok != token.VAR {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.ValueSpec)
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						m[f.dir+"."+name.Name] = spec.Values[i]
					}
				}
			}
		}
	}
	return m
}

// textOf joins every string literal in an expression.
func textOf(e ast.Expr, dir string, consts map[string]ast.Expr) string {
	var b strings.Builder
	seen := map[string]bool{}
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				b.WriteString(s)
			}
		case *ast.Ident:
			if v := consts[dir+"."+n.Name]; v != nil && !seen[n.Name] {
				seen[n.Name] = true
				ast.Inspect(v, look)
			}
		}
		return true
	}
	ast.Inspect(e, look)
	return b.String()
}

// vendorless are the drivers with no vendor to take bytes from.
var vendorless = map[string]string{
	"server/llm/mock": "it is the built-in model: nobody else's bytes exist",
}

// checkDriverFixtures wants a testdata folder with something in it for every provider's driver.
func checkDriverFixtures(h *house) (out []offence) {
	pkgs := h.packages()
	for _, dir := range sortedKeys(pkgs) {
		if _, known := ranks[dir]; known || path.Dir(dir) != "server/llm" || isTestSupport(dir) || vendorless[dir] != "" {
			continue
		}
		has := false
		for _, p := range h.paths {
			has = has || strings.HasPrefix(p, dir+"/testdata/")
		}
		if !has {
			out = append(out, h.at(pkgs[dir][0].syntax.Name.Pos(), "driver "+dir+" has no testdata"))
		}
	}
	return out
}

// checkNoSleep finds time.Sleep, and a wait for time.After whose value nobody reads, in tests and in packages for tests.
func checkNoSleep(h *house) (out []offence) {
	for _, f := range h.files {
		if !f.test && !isTestSupport(f.dir) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if isName(n, "time", "Sleep") {
					out = append(out, h.at(n.Pos(), "time.Sleep"))
				}
			case *ast.ExprStmt:
				recv, ok := n.X.(*ast.UnaryExpr)
				if !ok || recv.Op != token.ARROW {
					return true
				}
				if call, ok := recv.X.(*ast.CallExpr); ok && isName(call.Fun, "time", "After") && !isSelectCase(f, n) {
					out = append(out, h.at(n.Pos(), "<-time.After is a sleep"))
				}
			}
			return true
		})
	}
	return out
}

// isSelectCase reports whether a statement is what a case of a select waits for: there it is a time limit.
func isSelectCase(f *source, stmt ast.Stmt) (found bool) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if c, ok := n.(*ast.CommClause); ok && c.Comm == stmt {
			found = true
		}
		return !found
	})
	return found
}

func isName(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

var (
	fixedAddress = regexp.MustCompile(`^(127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0|\[::\])?:[1-9][0-9]*$`)
	fixedFlag    = regexp.MustCompile(`(--(metrics-)?addr[ =]|CLAWLESS_(METRICS_)?ADDR=)\S*:[1-9][0-9]*\b`)
)

// checkNoFixedPort looks at what is listened on: an argument of a function named Listen..., the field Addr of a Server, what follows --addr where the binary is told to
// serve, and the same in scripts. An address that is only read, compared or dialled may be fixed.
func checkNoFixedPort(h *house) (out []offence) {
	found := func(e ast.Expr) { out = append(out, h.at(e.Pos(), "listens on a fixed port")) }
	for _, f := range h.files {
		if !f.test && !isTestSupport(f.dir) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				for _, arg := range n.Args {
					if isFixedAddress(arg) && isListen(n.Fun) {
						found(arg)
					}
				}
				servedOn(n.Args, found)
			case *ast.CompositeLit:
				servedOn(n.Elts, found)
				for _, el := range n.Elts {
					kv, ok := el.(*ast.KeyValueExpr)
					if ok && isNamed(n.Type, "Server") && isNamed(kv.Key, "Addr") && isFixedAddress(kv.Value) {
						found(kv.Value)
					}
				}
			}
			return true
		})
	}
	for _, p := range h.paths {
		if path.Ext(p) != ".txtar" {
			continue
		}
		for i, line := range strings.Split(string(h.texts[p]), "\n") {
			if fixedFlag.MatchString(line) {
				out = append(out, offence{p, i + 1, "listens on a fixed port"})
			}
		}
	}
	return out
}

func isFixedAddress(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return false
	}
	s, err := strconv.Unquote(lit.Value)
	return err == nil && fixedAddress.MatchString(s)
}

func isListen(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		return strings.HasPrefix(fun.Sel.Name, "Listen")
	case *ast.Ident:
		return strings.HasPrefix(strings.ToLower(fun.Name), "listen")
	}
	return false
}

// servedOn looks at words of a command line that starts a server.
func servedOn(words []ast.Expr, found func(ast.Expr)) {
	serves := slices.ContainsFunc(words, func(e ast.Expr) bool { return isLiteral(e, "serve", "demo") })
	for i, word := range words {
		if serves && i > 0 && isLiteral(words[i-1], "--addr", "--metrics-addr") && isFixedAddress(word) {
			found(word)
		}
	}
}

func isLiteral(e ast.Expr, values ...string) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && slices.ContainsFunc(values, func(v string) bool { return lit.Value == strconv.Quote(v) })
}

// isNamed reports whether an expression is a name, or a name of another package.
func isNamed(e ast.Expr, name string) bool {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		return sel.Sel.Name == name
	}
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// The words are put together from parts, so that this file does not break its own rule.
var leftOpen = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func checkNothingLeftOpen(h *house) []offence {
	return h.grep(leftOpen, func(p string, b []byte) bool { return isBuilt(p, b) })
}

var machineText = regexp.MustCompile(`(^|[^\w.-])/(work|ro` + `ot|farm)/|/tmp/ba` + `sh_jobs|proxy\.go` + `lang\.org|sum\.go` + `lang\.org|registry\.np` + `mjs\.org|py` + `pi\.org|files\.python` + `hosted\.org|deb\.de` + `bian\.org|crates\.` + `io/`)

func checkNoMachineInText(h *house) []offence {
	return h.grep(machineText, func(string, []byte) bool { return false })
}

// grep finds the lines of text files that match.
func (h *house) grep(pattern *regexp.Regexp, skip func(p string, b []byte) bool) (out []offence) {
	for _, p := range h.paths {
		b := h.texts[p]
		if b == nil || skip(p, b) || !pattern.Match(b) {
			continue
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := pattern.FindString(line); m != "" {
				out = append(out, offence{p, i + 1, fmt.Sprintf("%q", strings.TrimSpace(m))})
			}
		}
	}
	return out
}
