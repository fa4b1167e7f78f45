package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/clawless/clawless/build/bench/page"
)

// postgresEnv names the Postgres that the tests use; without it one is started.
const postgresEnv = "CLAWLESS_TEST_POSTGRES"

// conversationSection is the name of the page's section, on the page and for -only.
const conversationSection = "conversations"

// conversationRuns are how many pages or turns a row of the tables is made of.
const conversationRuns = "300x"

// conversation is what one benchmark of the conversations showed: a kind of page or of turn, on an engine, at a size.
type conversation struct {
	bench, engine, kind string
	size                int
	p50, p99            float64 // milliseconds
}

var conversationLine = regexp.MustCompile(`(?m)^Benchmark(ListSessions|LongSession)/(sqlite|postgres)/(\d+)/([a-z]+)(?:-\d+)?\s.*?([0-9.e+-]+) p50-ms\s+([0-9.e+-]+) p99-ms`)

// runConversations measures the conversations and writes their section.
func runConversations(ctx context.Context, o options) error {
	list, err := measureConversations(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		log.Printf("%-12s %-8s %6d %-6s  p50 %.2f ms  p99 %.2f ms", c.bench, c.engine, c.size, c.kind, c.p50, c.p99)
	}
	return page.WriteSection(o.out, conversationSection, conversationFigures(list))
}

// measureConversations runs the benchmarks of long lists and long sessions on both engines.
func measureConversations(ctx context.Context) (list []conversation, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "sqlite_fts5", "./server", "-run", "^$", "-bench", "^Benchmark(ListSessions|LongSession)$", "-benchtime", conversationRuns, "-timeout", "5m")
	cmd.Env = os.Environ()
	if os.Getenv(postgresEnv) == "" {
		address, stop, err := startPostgres(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		cmd.Env = append(cmd.Env, postgresEnv+"="+address)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("benchmarks of the conversations: %w: %s", err, out)
	}
	return readConversations(out)
}

// readConversations finds the figures in what the benchmarks printed, and wants some of both engines.
func readConversations(out []byte) (list []conversation, err error) {
	engines := map[string]bool{}
	for _, m := range conversationLine.FindAllSubmatch(out, -1) {
		c := conversation{bench: string(m[1]), engine: string(m[2]), kind: string(m[4])}
		var errs [3]error
		c.size, errs[0] = strconv.Atoi(string(m[3]))
		c.p50, errs[1] = strconv.ParseFloat(string(m[5]), 64)
		c.p99, errs[2] = strconv.ParseFloat(string(m[6]), 64)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		engines[c.engine] = true
		list = append(list, c)
	}
	if len(engines) != 2 {
		return nil, fmt.Errorf("the benchmarks of the conversations ran on %d of 2 databases: %s", len(engines), bytes.TrimSpace(out))
	}
	return list, nil
}

// startPostgres starts a server that stop ends and removes.
func startPostgres(ctx context.Context) (address string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "clawless-bench-postgres-")
	if err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the database may run as another user
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	stop = func() error {
		out, err := exec.CommandContext(context.WithoutCancel(ctx), "build/postgres.sh", "stop", data).CombinedOutput()
		if err != nil {
			return fmt.Errorf("stop Postgres: %w: %s", err, out)
		}
		return os.RemoveAll(dir)
	}
	cmd := exec.CommandContext(ctx, "build/postgres.sh", "start", data)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("start Postgres: %w: %s", err, problems.Bytes()), stop())
	}
	return strings.TrimSpace(string(out)), stop, nil
}

// The two tables, in their order.
var conversationTables = []struct{ bench, heading, column string }{
	{"ListSessions", "A page of 50 sessions", "sessions"},
	{"LongSession", "A turn in a long session", "messages"},
}

// conversationKinds says in words what the benchmarks' names stand for.
var conversationKinds = map[string]string{
	"first":  "the first page",
	"middle": "a page from the middle of the list",
	"rare":   "a search with 50 hits",
	"every":  "a search that every session is a hit of (20 runs)",
	"warm":   "conversation in memory",
	"cold":   "nothing kept in memory (`cache_ttl` 0)",
}

// conversationFigures is the section of the page. A row's ratios compare it with the size before it.
func conversationFigures(list []conversation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Command: `make bench`, or `build/bench.sh -only conversations` for these tables alone (%s of each row, unless it says otherwise).\n\nMachine: %s.\n", strings.TrimSuffix(conversationRuns, "x")+" runs", machine())
	for _, t := range conversationTables {
		fmt.Fprintf(&b, "\n### %s\n\n| what | database | %s | p50 ms | p99 ms | p50, of the row before | p99, of the row before |\n|---|---|---|---|---|---|---|\n", t.heading, t.column)
		done := map[string]bool{}
		for _, first := range list {
			if first.bench != t.bench || done[first.kind+first.engine] {
				continue
			}
			done[first.kind+first.engine] = true
			var before *conversation
			for _, c := range list {
				if c.bench != first.bench || c.kind != first.kind || c.engine != first.engine {
					continue
				}
				c.write(&b, before)
				before = &c
			}
		}
	}
	return b.String()
}

func (c *conversation) write(b *strings.Builder, before *conversation) {
	name := map[string]string{"sqlite": "SQLite", "postgres": "Postgres"}[c.engine]
	ratios := "- | -"
	if before != nil {
		ratios = fmt.Sprintf("%.2f | %.2f", c.p50/before.p50, c.p99/before.p99)
	}
	fmt.Fprintf(b, "| %s | %s | %d | %.2f | %.2f | %s |\n", conversationKinds[c.kind], name, c.size, c.p50, c.p99, ratios)
}
