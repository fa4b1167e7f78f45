# The workshop of Clawless. `make` alone lists every job; each one is short here or a script in build/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A dependency must not be able to fetch another Go on its own.
export GOTOOLCHAIN ?= local

# Search needs SQLite's FTS5, which the driver compiles in when it is asked to. A build without the tag takes the driver in pure Go, which has it (docs/adr/0013-search.md).
export GOFLAGS := $(GOFLAGS) -tags=sqlite_fts5

VERSION ?= $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null || echo dev))
LDFLAGS := -X github.com/clawless/clawless/cmd/clawless/version.Version=$(VERSION)

TEST  := build/gotest.sh
PKGS  ?= ./...

##@ Use it

.PHONY: run
run: build ## build it and start the demo in the foreground: server, a tenant, a key and the widget's demo page
	exec bin/clawless demo

.PHONY: build
build: ## build bin/clawless for this machine
	go build -ldflags '$(LDFLAGS)' -o bin/clawless ./cmd/clawless

##@ Check it

.PHONY: test
test: ## everything: installs what it needs, both databases, race detector, browser, lint, stale files; ends with the totals
	build/test.sh

.PHONY: unit
unit: ## the Go tests without the race detector, on SQLite alone unless CLAWLESS_TEST_POSTGRES is set (PKGS=./server/... for some)
	$(TEST) unit . $(PKGS)

.PHONY: race
race: ## the Go tests with the race detector, end-to-end scripts included
	$(TEST) race . -race $(PKGS)

.PHONY: gates
gates: ## the tests with a budget (time, CPU, memory), which the race detector would falsify
	$(TEST) gates . -run '(Budget|Overhead|Within)' $(PKGS)

.PHONY: lint
lint: ## golangci-lint with vet over every module, shellcheck over the scripts
	build/lint.sh

.PHONY: widget-test
widget-test: ## the widget's own tests in node (its browser tests are Go tests, and run with race)
	build/widget-test.sh

.PHONY: nocgo
nocgo: ## build without a C compiler, and test the store on that build's SQLite
	CGO_ENABLED=0 go build -o bin/clawless-nocgo ./cmd/clawless
	CGO_ENABLED=0 $(TEST) nocgo . ./server/db/...

.PHONY: compat
compat: build ## the real binary under OpenAI's official Go SDK, and under a stranger's program that uses ours
	CLAWLESS_BIN=$(CURDIR)/bin/clawless $(TEST) compat build/compat ./...

.PHONY: tools-test
tools-test: ## the tests of the programs in build/
	$(TEST) bench build/bench ./...
	$(TEST) build build ./...
	$(TEST) e2e build/e2e ./...
	$(TEST) routeeval build/routeeval ./...

.PHONY: generate
generate: ## write again all that is generated: OpenAPI document, SDK, widget, reference
	build/generate.sh

.PHONY: generate-check
generate-check: ## fail when a generated file is not what its source says
	build/generate.sh --check

.PHONY: catalog
catalog: ## write the table of models and prices again from its public source (needs the network)
	go run -C build ./catalog

##@ Measure it

.PHONY: bench
bench: build ## start-up and gateway cost against a bare proxy, on loopback; writes docs/benchmarks.md
	build/bench.sh

.PHONY: e2e-llm
e2e-llm: build ## a real model on this machine behind Clawless, driven by OpenAI's SDK; writes docs/e2e-llm.md (installs a Python engine)
	build/e2e-llm.sh

.PHONY: route-eval
ROUTING_DATA ?= ../shared/data/routing
route-eval: ## train and measure the router's score on public labelled prompts (ROUTING_DATA), and compare with the record; WRITE=1 writes it
	go build -C build/routeeval -o ../../bin/routeeval .
	bin/routeeval -data '$(ROUTING_DATA)' $(if $(WRITE),-write)

##@ Ship it

.PHONY: release-snapshot
release-snapshot: ## all archives, checksums and bills of materials in dist/, without publishing
	build/release.sh --snapshot

.PHONY: docs
docs: build ## write the reference pages of the commands and settings
	bin/clawless docs --dir docs/reference

.PHONY: widget
widget: ## bundle the widget
	build/widget-deps.sh
	go run -C widget/internal/build .

.PHONY: needs
needs: ## install what the tests need (Debian as root), or say what is missing
	build/needs.sh

.PHONY: clean
clean: ## remove what was built here, not what was committed or your data
	rm -rf bin dist .test coverage.out

.PHONY: help
help: ## show this list
	@awk 'BEGIN { FS = ":.*## "; print "make JOB, where JOB is one of:" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
