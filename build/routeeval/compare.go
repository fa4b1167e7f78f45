package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// Another processor may round the training differently; a step of one in a small weight is nothing, a figure that moves by more than this is something.
const (
	figureTolerance = 0.001
	weightTolerance = 0.01 // share of the weights that may differ by more than one step
)

// compareRecords says where the figures of today are worse than recorded, or the recorded ones are not about the same thing.
func compareRecords(recorded, today *record) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if recorded.Version != today.Version {
		say("the record is about the weights %s, the committed ones are %s", recorded.Version, today.Version)
	}
	if recorded.Recipe != today.Recipe {
		say("the recipe is not the recorded one")
	}
	if !slices.Equal(recorded.HeldOut, today.HeldOut) {
		say("the held-out subjects are not the recorded ones")
	}
	if len(recorded.Sets) != len(today.Sets) {
		say("%d sets of prompts, recorded are %d", len(today.Sets), len(recorded.Sets))
		return problems
	}
	for i, was := range recorded.Sets {
		is := today.Sets[i]
		if was.Name != is.Name || was.Prompts != is.Prompts || len(was.Routers) == 0 {
			say("set %q of %d prompts, recorded is %q of %d", is.Name, is.Prompts, was.Name, was.Prompts)
			continue
		}
		if d := was.Routers[0].APGR - is.Routers[0].APGR; d > figureTolerance {
			say("%s: APGR %.4f, recorded is %.4f", is.Name, is.Routers[0].APGR, was.Routers[0].APGR)
		}
	}
	if d := today.Calibration.Brier - recorded.Calibration.Brier; d > figureTolerance {
		say("Brier score %.4f, recorded is %.4f", today.Calibration.Brier, recorded.Calibration.Brier)
	}
	return problems
}

// compareModels says where the recipe no longer gives the committed weights.
func compareModels(shipped, trained *linear.Model) (problems []string) {
	if shipped.Spec != trained.Spec || !slices.Equal(shipped.Common, trained.Common) {
		return []string{"the recipe gives tables or common words of another shape"}
	}
	numbers := func(m *linear.Model) []float64 {
		out := []float64{m.WordUnit, m.CharUnit, m.Bias, m.Slope, m.Offset}
		return append(append(append(out, m.Structure[:]...), m.Mean[:]...), m.Deviation[:]...)
	}
	was, is := numbers(shipped), numbers(trained)
	for i := range was {
		if math.Abs(was[i]-is[i]) > figureTolerance*(1+math.Abs(was[i])) {
			problems = append(problems, fmt.Sprintf("number %d of the model is %g, committed is %g", i, is[i], was[i]))
		}
	}
	for _, t := range [][2][]int8{{shipped.Words, trained.Words}, {shipped.Chars, trained.Chars}} {
		off := 0
		for i, w := range t[0] {
			if d := int(w) - int(t[1][i]); d > 1 || d < -1 {
				off++
			}
		}
		if float64(off) > weightTolerance*float64(len(t[0])) {
			problems = append(problems, fmt.Sprintf("%d of %d weights differ from the committed ones", off, len(t[0])))
		}
	}
	return problems
}
