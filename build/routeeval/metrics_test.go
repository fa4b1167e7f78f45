package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Of four prompts two gain 1: an oracle recovers half of the gap after one call and all after two. The curve 0, 1/2, 1, 1, 1 has the mean height 3/4.
func TestAPGRByHand(t *testing.T) {
	gains := []float64{1, 1, 0, 0}
	near(t, "oracle", apgr([]float64{4, 3, 2, 1}, gains), 0.75)
	near(t, "reversed", apgr([]float64{1, 2, 3, 4}, gains), 0.25)
	near(t, "all the same score", apgr([]float64{7, 7, 7, 7}, gains), 0.5)
	near(t, "alternating", apgr([]float64{4, 2, 3, 1}, gains), 0.625) // 0, 1/2, 1/2, 1, 1
	near(t, "one tie across", apgr([]float64{4, 3, 3, 1}, gains), 0.6875)
	near(t, "a loss is recovered by leaving it", apgr([]float64{3, 2, 1}, []float64{2, 0, -1}), 1.5) // 0, 2, 2, 1
	if v := apgr([]float64{1, 2}, []float64{1, -1}); !math.IsNaN(v) {
		t.Errorf("no gap: %v", v)
	}
	if v := apgr(nil, nil); !math.IsNaN(v) {
		t.Errorf("no prompts: %v", v)
	}
}

func TestAPGRAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sum := 0.0
	const rounds = 200
	for range rounds {
		scores, gains := make([]float64, 500), make([]float64, 500)
		for i := range scores {
			scores[i], gains[i] = rng.Float64(), float64(rng.IntN(3))-0.5
		}
		sum += apgr(scores, gains) / rounds
	}
	if math.Abs(sum-0.5) > 0.005 {
		t.Errorf("the mean at random is %v", sum)
	}
}

func TestAPGRDoesNotDependOnTheOrderOfTheData(t *testing.T) {
	scores, gains := []float64{1, 1, 2, 2, 3}, []float64{1, 0, 0, 1, -1}
	want := apgr(scores, gains)
	slices.Reverse(scores)
	slices.Reverse(gains)
	near(t, "reversed data", apgr(scores, gains), want)
}

func TestOtherMetricsByHand(t *testing.T) {
	scores, gains := []float64{4, 3, 2, 1}, []float64{1, 0, 1, 0}
	near(t, "half", gained(scores, gains, 0.5), 0.25)
	near(t, "an eighth is half a prompt", gained(scores, gains, 0.125), 0.125)
	near(t, "all", gained(scores, gains, 1), 0.5)
	near(t, "none", gained(scores, gains, 0), 0)
	failed := []bool{true, false, true, false}
	near(t, "AUC", auc(scores, failed), 0.75)
	near(t, "AUC of ties", auc([]float64{1, 1, 1, 1}, failed), 0.5)
	near(t, "Brier", brier([]float64{1, 0, 0.5, 0.5}, failed), 0.125)
	tenScores, tenFailed := make([]float64, 10), make([]bool, 10)
	for i := range tenScores {
		tenScores[i], tenFailed[i] = float64(i)/10, i >= 5
	}
	bins, ece := reliability(tenScores, tenFailed)
	near(t, "ECE", ece, (0+.1+.2+.3+.4+.5+.4+.3+.2+.1)/10)
	if len(bins) != 10 || bins[9].Count != 1 || bins[9].Observed != 1 {
		t.Errorf("bins %v", bins)
	}
}

func TestBootstrapDrawsGroups(t *testing.T) {
	prompts := []prompt{{group: "a"}, {group: "a"}, {group: "b"}, {group: "b"}}
	var first, second [][]int
	bootstrap(prompts, false, func(indices []int) { first = append(first, slices.Clone(indices)) })
	bootstrap(prompts, false, func(indices []int) { second = append(second, slices.Clone(indices)) })
	if len(first) != resamples || !slices.EqualFunc(first, second, slices.Equal) {
		t.Fatal("two bootstraps of the same prompts differ")
	}
	for _, indices := range first {
		if len(indices) != 4 || indices[1] != indices[0]+1 || indices[0]%2 != 0 {
			t.Fatalf("%v is not made of whole groups", indices)
		}
	}
	values := make([]float64, 1000)
	for i := range values {
		values[i] = float64(i)
	}
	if got := interval(values); got != [2]float64{25, 974} {
		t.Errorf("interval %v", got)
	}
}
