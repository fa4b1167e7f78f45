package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/clawless/clawless/build/bench/load"
	"github.com/clawless/clawless/build/bench/page"
)

// writeReport writes the figures into the page.
func writeReport(o options, start startFigures, added addedFigures, tables []table) error {
	return page.Write(o.out, figures(o, start, added, tables))
}

func figures(o options, start startFigures, added addedFigures, tables []table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Command: `make bench` (%d rounds of %s; every figure is the median over the rounds).\n\n", o.rounds, o.duration)
	fmt.Fprintf(&b, "Machine: %s.\n\n", machine())
	b.WriteString("### Start\n\n| what | figure |\n|---|---|\n")
	fmt.Fprintf(&b, "| `clawless serve` from its start to ready, on an existing SQLite database | %.1f ms |\n", start.ready)
	fmt.Fprintf(&b, "| resident memory of that server when idle | %.1f MiB |\n", start.idle)
	fmt.Fprintf(&b, "| `clawless --help`, wall time | %.1f ms |\n", start.help)
	fmt.Fprintf(&b, "| size of the binary as built by `make build` | %.1f MiB |\n", start.size)
	b.WriteString("\n### Routing, metering and the receipt\n\n| what they add to an answer of 200 tokens under `auto` | p50 ms | p99 ms |\n|---|---|---|\n")
	fmt.Fprintf(&b, "| plan with its score, watch over the answer, receipt as JSON; without the store | %.3f | %.3f |\n", added.p50, added.p99)
	for _, t := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n", t.mode.title)
		if t.mode.stream {
			t.writeStream(&b)
		} else {
			t.writePlain(&b)
		}
	}
	return b.String()
}

// over gives the median of a figure, and of what it adds to and multiplies the direct one with, both formed within a round.
func (t table) over(target int, f func(load.Stats) float64) (median, added, times float64) {
	var values, adds, ratios []float64
	for i, s := range t.rounds[target] {
		base := f(t.rounds[0][i])
		values, adds = append(values, f(s)), append(adds, f(s)-base)
		if base > 0 {
			ratios = append(ratios, f(s)/base)
		}
	}
	return load.Median(values), load.Median(adds), load.Median(ratios)
}

// toFloor is a target's figure as a multiple of the floor's, within a round.
func (t table) toFloor(target int, f func(load.Stats) float64) float64 {
	var ratios []float64
	for i, s := range t.rounds[target] {
		if base := f(t.rounds[1][i]); base > 0 {
			ratios = append(ratios, f(s)/base)
		}
	}
	return load.Median(ratios)
}

func perSecond(s load.Stats) float64 { return s.PerSecond }
func tokensPS(s load.Stats) float64  { return s.TokensPS }
func p50(s load.Stats) float64       { return s.P50 }
func p99(s load.Stats) float64       { return s.P99 }
func first50(s load.Stats) float64   { return s.First50 }
func first99(s load.Stats) float64   { return s.First99 }
func lag50(s load.Stats) float64     { return s.Lag50 }
func lag99(s load.Stats) float64     { return s.Lag99 }
func cpu(s load.Stats) float64       { return s.CPU }
func cpuToken(s load.Stats) float64  { return s.CPUToken }
func rss(s load.Stats) float64       { return s.RSS }

func (t table) writePlain(b *strings.Builder) {
	b.WriteString("| target | requests/s | of direct | p50 ms | p99 ms | added p50 | added p99 | CPU µs/request | of floor | RSS MiB |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for i, name := range t.targets {
		rate, _, share := t.over(i, perSecond)
		m50, a50, _ := t.over(i, p50)
		m99, a99, _ := t.over(i, p99)
		fmt.Fprintf(b, "| %s | %.0f | %.2f | %.3f | %.3f | %.3f | %.3f |%s\n", name, rate, share, m50, m99, a50, a99, t.cost(i, cpu))
	}
}

func (t table) writeStream(b *strings.Builder) {
	b.WriteString("| target | tokens/s | of direct | first token p50 ms | p99 | added p50 | token lag p50 ms | p99 | CPU µs/token | of floor | RSS MiB |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i, name := range t.targets {
		rate, _, share := t.over(i, tokensPS)
		f50, a50, _ := t.over(i, first50)
		f99, _, _ := t.over(i, first99)
		l50, _, _ := t.over(i, lag50)
		l99, _, _ := t.over(i, lag99)
		fmt.Fprintf(b, "| %s | %.0f | %.2f | %.3f | %.3f | %.3f | %.3f | %.3f |%s\n", name, rate, share, f50, f99, a50, l50, l99, t.cost(i, cpuToken))
	}
}

// cost is the last three columns; what runs on the other side of the direct connection has none.
func (t table) cost(target int, f func(load.Stats) float64) string {
	if t.targets[target] == direct {
		return " - | - | - |"
	}
	value, _, _ := t.over(target, f)
	memory, _, _ := t.over(target, rss)
	return fmt.Sprintf(" %.1f | %.2f | %.0f |", value, t.toFloor(target, f), memory)
}

// machine says what the figures were taken on.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores shared by the load generator, the model server and the server under test, %s, %s", model, runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, runtime.Version())
}
