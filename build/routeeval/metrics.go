package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// apgr is the share of the quality gap between two models that is recovered, averaged over all shares of calls that go to the strong one, highest score first:
// 0.5 for a random order. Prompts of one score share what they gain together, so that their order in the data does not count.
// It is NaN when the models do not differ in all.
func apgr(scores, gains []float64) float64 {
	total := 0.0
	for _, g := range gains {
		total += g
	}
	area, sum := 0.0, 0.0
	walk(scores, gains, func(n int, gain float64) {
		area += float64(n) * (sum + gain/2)
		sum += gain
	})
	if total == 0 || len(gains) == 0 {
		return math.NaN()
	}
	return area / total / float64(len(gains))
}

// walk calls yield for each group of equal scores, highest first, with how many prompts it has and what they gain.
func walk(scores, gains []float64, yield func(n int, gain float64)) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	for i := 0; i < len(order); {
		j, gain := i, 0.0
		for j < len(order) && scores[order[j]] == scores[order[i]] {
			gain += gains[order[j]]
			j++
		}
		yield(j-i, gain)
		i = j
	}
}

// gained is the mean gain in quality over the cheap model when the given share of prompts, highest scores first, goes to the strong one.
func gained(scores, gains []float64, share float64) float64 {
	if len(gains) == 0 {
		return 0
	}
	left, sum := share*float64(len(gains)), 0.0
	walk(scores, gains, func(n int, gain float64) {
		take := min(left, float64(n))
		sum += gain * take / float64(n)
		left -= take
	})
	return sum / float64(len(gains))
}

// auc is the probability that a prompt on which the cheap model fails has a higher score than one on which it does not; ties count half.
func auc(scores []float64, failed []bool) float64 {
	marks := make([]float64, len(failed))
	fails := 0.0
	for i, f := range failed {
		if f {
			marks[i] = 1
			fails++
		}
	}
	passes := float64(len(failed)) - fails
	area, above := 0.0, 0.0
	walk(scores, marks, func(n int, gain float64) {
		area += (float64(n) - gain) * (above + gain/2)
		above += gain
	})
	return area / fails / passes
}

// bin is one row of a reliability table: a tenth of the probabilities.
type bin struct {
	Count     int     `json:"count"`
	Predicted float64 `json:"predicted"`
	Observed  float64 `json:"observed"`
}

// reliability sorts the predictions into ten bins of equal count, lowest first, and gives them with the expected calibration error over them.
func reliability(scores []float64, failed []bool) (bins []bin, ece float64) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	const tenths = 10
	for k := range tenths {
		var b bin
		for _, i := range order[k*len(order)/tenths : (k+1)*len(order)/tenths] {
			b.Count++
			b.Predicted += scores[i]
			if failed[i] {
				b.Observed++
			}
		}
		if b.Count > 0 {
			b.Predicted /= float64(b.Count)
			b.Observed /= float64(b.Count)
			bins = append(bins, b)
			ece += float64(b.Count) * math.Abs(b.Predicted-b.Observed) / float64(len(scores))
		}
	}
	return bins, ece
}

// brier is the mean squared error of the probabilities.
func brier(scores []float64, failed []bool) float64 {
	sum := 0.0
	for i, p := range scores {
		y := 0.0
		if failed[i] {
			y = 1
		}
		sum += (p - y) * (p - y)
	}
	return sum / float64(len(scores))
}

const resamples = 1000

// bootstrap calls measure with the indices of each resample: groups with replacement, then, within each drawn group that has more than one member and when
// inner is set, its members with replacement. It is the same for the same prompts.
func bootstrap(prompts []prompt, inner bool, measure func(indices []int)) {
	byGroup := map[string][]int{}
	var names []string
	for i, p := range prompts {
		if byGroup[p.group] == nil {
			names = append(names, p.group)
		}
		byGroup[p.group] = append(byGroup[p.group], i)
	}
	rng := rand.New(rand.NewPCG(20240810, 1))
	indices := make([]int, 0, 2*len(prompts))
	for range resamples {
		indices = indices[:0]
		for range names {
			group := byGroup[names[rng.IntN(len(names))]]
			for _, i := range group {
				if inner {
					i = group[rng.IntN(len(group))]
				}
				indices = append(indices, i)
			}
		}
		measure(indices)
	}
}

// interval gives the middle 95% of the values.
func interval(values []float64) [2]float64 {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(v) == 0 {
		return [2]float64{math.NaN(), math.NaN()}
	}
	slices.Sort(v)
	at := func(q float64) float64 { return v[int(math.Round(q*float64(len(v)-1)))] }
	return [2]float64{at(0.025), at(0.975)}
}
