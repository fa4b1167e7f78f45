package main

import (
	"os"
	"strings"
	"testing"
)

// rule is one rule of the house. The reason is what a person reads who has just broken it, so it says what goes wrong otherwise.
type rule struct {
	name   string
	reason string
	check  func(h *house) []offence
}

// offence is one place that breaks a rule.
type offence struct {
	path string
	line int
	what string
}

// houseRules are all rules over the source. A rule that hurts is changed by a decision record in docs/adr, not by a quiet exception.
var houseRules = []rule{
	{"file-length", "a file is read in one sitting: 400 lines, 800 for tests, and past that it holds two things", checkFileLength},
	{"function-length", "a function fits on a screen: 60 lines, and past that a step inside it wants a name", checkFunctionLength},
	{"package-length", "a package can be held in the head: 1,500 lines without tests", checkPackageLength},
	{"interface-size", "an interface asks for at most 5 methods: a larger one forces every implementation to pretend", checkInterfaceSize},
	{"interface-home", "an interface is declared where it is consumed, so that the one who needs it decides what it asks for", checkInterfaceHome},
	{"import-ranks", "a package imports lower ranks only: an arrow that points up makes two packages one", checkImportRanks},
	{"rooms-apart", "a room never imports another room: two that must change together are a use case of a higher rank", checkRoomsApart},
	{"library-homes", "each large library is known to one place, so that replacing it is one folder's work", checkLibraryHomes},
	{"commands-through-client", "a command knows the server through the API alone, so that it works against any server", checkCommandsThroughClient},
	{"test-support", "a package for tests is imported by tests alone, so that nothing of it ships", checkTestSupport},
	{"package-comment", "the first thing to know about a package is one sentence on what it is for", checkPackageComment},
	{"exported-comment", "an exported name is a promise, and its comment says what is promised", checkExportedComment},
	{"type-names", "Manager, Service, Handler, Helper and Util say nothing: the noun that the type stands for does", checkTypeNames},
	{"package-names", "util, common and their like collect what has no home: give it one", checkPackageNames},
	{"init", "init runs for every command and cannot be tested or avoided; only huma's variables and the terminal's query need it", checkInit},
	{"tenant-in-sql", "a statement on a tenant's table without tenant_id shows one customer another's data", checkTenantInSQL},
	{"driver-fixtures", "a provider's driver is tested against bytes that its vendor sent, not against our idea of them", checkDriverFixtures},
	{"no-sleep-in-tests", "a test that sleeps is slow when it passes and flaky when the machine is busy: wait on a signal", checkNoSleep},
	{"no-fixed-port", "a fixed port is taken on somebody's machine: listen on 127.0.0.1:0 and ask which port it became", checkNoFixedPort},
	{"nothing-left-open", "a marker in the source is a task nobody sees: open an issue or finish it", checkNothingLeftOpen},
	{"generated-mark", "tools and people skip generated files by one line, so it must be exactly that line", checkGeneratedMark},
	{"no-machine-in-text", "a path or a mirror of one machine is wrong on every other", checkNoMachineInText},
}

// TestHouse holds the whole repository to the rules of the house.
func TestHouse(t *testing.T) {
	h := openHouse(t, os.DirFS("../.."), listFiles(t, "../.."))
	for _, r := range houseRules {
		t.Run(r.name, func(t *testing.T) {
			for _, o := range r.check(h) {
				t.Errorf("%s:%d: %s\n\trule %s: %s", o.path, o.line, o.what, r.name, r.reason)
			}
		})
	}
}

// TestHouseSeesTheModule fails when the walk goes wrong and the rules above would hold over nothing.
func TestHouseSeesTheModule(t *testing.T) {
	h := openHouse(t, os.DirFS("../.."), listFiles(t, "../.."))
	seen := map[string]bool{}
	for _, f := range h.files {
		seen[f.dir] = true
	}
	for _, dir := range []string{"cmd/clawless", "server/fault", "server/llm", "server/db", "build/bench"} {
		if !seen[dir] {
			t.Errorf("no Go file of %s was read", dir)
		}
	}
	if h.module != "github.com/clawless/clawless" {
		t.Errorf("module is %q", h.module)
	}
	if h.texts["go.mod"] == nil || h.texts["Makefile"] == nil {
		t.Error("go.mod or the Makefile was not read")
	}
}

// TestHouseRulesCanFail plants an offender and a law-abiding source for every rule: a rule that cannot fail protects nothing, and one that always does is switched off.
func TestHouseRulesCanFail(t *testing.T) {
	for _, r := range houseRules {
		t.Run(r.name, func(t *testing.T) {
			var bad, good int
			for _, p := range planted {
				if p.rule != r.name {
					continue
				}
				got := r.check(plant(t, p.files))
				if p.want == "" {
					good++
					for _, o := range got {
						t.Errorf("%s: a clean source was refused: %s:%d: %s", p.name, o.path, o.line, o.what)
					}
					continue
				}
				bad++
				checkPlanted(t, p, got)
			}
			if bad == 0 || good == 0 {
				t.Errorf("rule has %d planted offenders and %d clean sources, wants at least one of each", bad, good)
			}
		})
	}
}

func checkPlanted(t *testing.T, p plantedSource, got []offence) {
	t.Helper()
	if len(got) != 1 {
		t.Errorf("%s: %d offences, want 1: %v", p.name, len(got), got)
		return
	}
	o := got[0]
	if !strings.Contains(o.what, p.want) || o.path == "" || o.line == 0 {
		t.Errorf("%s: got %s:%d %q, want a place and %q", p.name, o.path, o.line, o.what, p.want)
	}
}
