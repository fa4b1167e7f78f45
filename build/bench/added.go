package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/clawless/clawless/build/bench/load"
)

// addedFigures are what routing, metering and the receipt add to one answer of 200 tokens, in the process and without the store.
type addedFigures struct{ p50, p99 float64 } // milliseconds

var (
	addedP50 = regexp.MustCompile(`([0-9.e-]+) p50-ms`)
	addedP99 = regexp.MustCompile(`([0-9.e-]+) p99-ms`)
)

// measureAdded runs the benchmark that knows the parts. Of several runs the one with the median p99 counts.
func measureAdded(ctx context.Context, rounds int) (addedFigures, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "./server/chat", "-run", "^$", "-bench", "^BenchmarkAdded$", "-benchtime", "20000x", "-count", strconv.Itoa(rounds)).CombinedOutput()
	if err != nil {
		return addedFigures{}, fmt.Errorf("benchmark of the parts: %w: %s", err, out)
	}
	var f addedFigures
	for _, m := range []struct {
		pattern *regexp.Regexp
		into    *float64
	}{{addedP50, &f.p50}, {addedP99, &f.p99}} {
		var values []float64
		for _, found := range m.pattern.FindAllSubmatch(out, -1) {
			v, err := strconv.ParseFloat(string(found[1]), 64)
			if err != nil {
				return f, err
			}
			values = append(values, v)
		}
		if len(values) == 0 {
			return f, errors.New("the benchmark of the parts printed no figures")
		}
		*m.into = load.Median(values)
	}
	return f, nil
}
