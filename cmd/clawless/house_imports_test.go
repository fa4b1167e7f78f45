package main

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

const roomRank = 3

// ranks says how high a package stands. An entry holds for the folders below it too; x/* is any one folder in x.
var ranks = map[string]int{
	"server/fault": 0, "server/auth": 0, "server/llm": 0, "server/sse": 0, "server/jobs": 0, "server/ids": 0, "server/config": 0, "server/seal": 0, "server/guard": 0,
	"migrations": 0, "widget": 0, "openapi": 0, "sdk": 0,
	"server/db": 1, "server/cache": 1, "server/blob": 1, "server/redis": 1, "server/api": 1, "server/llm/wire": 1, "server/llm/catalog": 1, "server/llm/score": 1, "server/llm/tokens": 1, "server/llm/clean": 1, "client": 1,
	"server/tool": 1, "server/tool/*": 2, "server/tool/credential": 1, "server/tool/readable": 1,
	"server/llm/router": 2, "server/llm/policy": 2, "server/llm/*": 2, "tui/kit": 2,
	"server/llm/all": 3, "server/*": roomRank, "tui/*": 3,
	"server/chat": 4, "tui": 4,
	"server":           5,
	"cmd/clawless/cli": 6,
	"cmd/clawless/*":   7,
	"cmd/clawless":     8,
}

// rankOf finds the rank of a folder and the folder whose entry gave it: the unit, inside which packages import each other freely.
func rankOf(dir string) (rank int, unit string, ok bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if r, ok := ranks[d]; ok {
			return r, d, true
		}
		if r, ok := ranks[path.Dir(d)+"/*"]; ok {
			return r, d, true
		}
	}
	return 0, "", false
}

// isTestSupport tells a package that only tests use by its name, as in httptest.
func isTestSupport(dir string) bool { return strings.HasSuffix(path.Base(dir), "test") }

func checkImportRanks(h *house) (out []offence) {
	for _, f := range h.files {
		if f.nested || f.external || isTestSupport(f.dir) {
			continue
		}
		rank, unit, ok := rankOf(f.dir)
		if !ok {
			out = append(out, h.at(f.syntax.Name.Pos(), f.dir+" has no rank: add it to the table in house_imports_test.go"))
			continue
		}
		h.imports(f, func(spec *ast.ImportSpec, _, local string) {
			r, u, known := rankOf(local)
			isRooms := rank == roomRank && r == roomRank
			if local == "" || !known || u == unit || r < rank || isRooms || isTestSupport(local) {
				return
			}
			out = append(out, h.at(spec.Pos(), fmt.Sprintf("%s (rank %d) imports %s (rank %d)", f.dir, rank, local, r)))
		})
	}
	return out
}

func checkRoomsApart(h *house) (out []offence) {
	for _, f := range h.files {
		rank, unit, ok := rankOf(f.dir)
		if !ok || rank != roomRank || f.nested || f.external || isTestSupport(f.dir) {
			continue
		}
		h.imports(f, func(spec *ast.ImportSpec, _, local string) {
			if r, u, ok := rankOf(local); ok && r == roomRank && u != unit && !isTestSupport(local) {
				out = append(out, h.at(spec.Pos(), fmt.Sprintf("room %s imports room %s", unit, u)))
			}
		})
	}
	return out
}

// libraryHomes are the libraries with one home: a path ending in / is a folder with what is below it, routes.go is a file's name anywhere.
var libraryHomes = []struct {
	library string
	homes   []string
}{
	{"github.com/spf13/viper", []string{"cmd/clawless/cli/"}},
	{"github.com/jmoiron/sqlx", []string{"server/db/"}},
	{"github.com/mattn/go-sqlite3", []string{"server/db/"}},
	{"modernc.org/sqlite", []string{"server/db/"}},
	{"github.com/jackc/pgx", []string{"server/db/"}},
	{"github.com/redis/go-redis", []string{"server/redis/"}},
	{"github.com/danielgtaylor/huma", []string{"server/api/", "server/server.go", "routes.go", "routes_test.go"}},
	{"github.com/modelcontextprotocol/go-sdk", []string{"server/tool/mcp/"}},
	{"github.com/tiktoken-go/tokenizer", []string{"server/llm/tokens/"}},
	{"github.com/charmbracelet/bubbletea", []string{"tui/", "cmd/clawless/chat/"}},
	{"github.com/charmbracelet/bubbles", []string{"tui/", "cmd/clawless/chat/"}},
}

func checkLibraryHomes(h *house) (out []offence) {
	for _, f := range h.files {
		if f.nested {
			continue
		}
		h.imports(f, func(spec *ast.ImportSpec, full, _ string) {
			for _, l := range libraryHomes {
				if (full == l.library || strings.HasPrefix(full, l.library+"/")) && !isAtHome(f.path, l.homes) {
					out = append(out, h.at(spec.Pos(), fmt.Sprintf("%s is imported outside %s", full, strings.Join(l.homes, ", "))))
				}
			}
		})
	}
	return out
}

func isAtHome(p string, homes []string) bool {
	return slices.ContainsFunc(homes, func(home string) bool {
		return p == home || path.Base(p) == home || strings.HasSuffix(home, "/") && strings.HasPrefix(p, home)
	})
}

// serverCommands are the commands that are the server, or write down what it is.
var serverCommands = []string{"cmd/clawless/serve", "cmd/clawless/demo", "cmd/clawless/openapi", "cmd/clawless/migrate"}

func checkCommandsThroughClient(h *house) (out []offence) {
	for _, f := range h.files {
		_, unit, _ := rankOf(f.dir)
		isTUI := unit == "tui" || strings.HasPrefix(unit, "tui/")
		if !strings.HasPrefix(f.dir, "cmd/clawless") && unit != "client" && !isTUI || slices.Contains(serverCommands, unit) || f.external {
			continue
		}
		h.imports(f, func(spec *ast.ImportSpec, _, local string) {
			if local != "server" && !strings.HasPrefix(local, "server/") {
				return
			}
			isLeaf := local == "server/config" || local == "server/fault"
			if unit == "cmd/clawless/cli" && isLeaf {
				return
			}
			out = append(out, h.at(spec.Pos(), fmt.Sprintf("%s imports %s", f.dir, local)))
		})
	}
	return out
}

func checkTestSupport(h *house) (out []offence) {
	for _, f := range h.files {
		if f.test || isTestSupport(f.dir) {
			continue
		}
		h.imports(f, func(spec *ast.ImportSpec, _, local string) {
			if local != "" && isTestSupport(local) {
				out = append(out, h.at(spec.Pos(), fmt.Sprintf("%s is not a test and imports %s", f.path, local)))
			}
		})
	}
	return out
}
