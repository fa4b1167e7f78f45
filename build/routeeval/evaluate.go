package main

import (
	"slices"
	"sync"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// record is what was measured of the committed weights. It lies beside them as weights.json, and docs/routing.md is written from it.
type record struct {
	Version     string      `json:"version"`
	Recipe      recipe      `json:"recipe"`
	HeldOut     []string    `json:"held_out"`
	Resamples   int         `json:"resamples"`
	Sets        []set       `json:"sets"`
	Calibration calibration `json:"calibration"`
}

// set is one set of prompts with how each way to route does on it.
type set struct {
	Name    string  `json:"name"`
	Prompts int     `json:"prompts"`
	Groups  int     `json:"groups"`
	Cheap   float64 `json:"cheap"`  // mean quality of the cheap model alone
	Strong  float64 `json:"strong"` // and of the strong one
	Routers []row   `json:"routers"`
	Over    float64 `json:"over_length"` // APGR of the score less that of the length
	OverCI  ci      `json:"over_length_interval"`
	AUC     float64 `json:"auc,omitempty"` // of the score, for "the cheap model fails"; only where right and wrong are known
}

type ci [2]float64

// row is one way to route.
type row struct {
	Name string  `json:"name"`
	APGR float64 `json:"apgr"`
	CI   ci      `json:"interval"`
	At20 float64 `json:"quality_at_20"`
	At50 float64 `json:"quality_at_50"`
}

// calibration compares the probabilities with what happened on the held-out subjects.
type calibration struct {
	Base      float64 `json:"base"`       // share of failures among the training questions, the best guess without a score
	Failures  float64 `json:"failures"`   // share of failures on the held-out subjects
	Brier     float64 `json:"brier"`      // of the score
	BrierBase float64 `json:"brier_base"` // of the base rate
	ECE       float64 `json:"ece"`
	Bins      []bin   `json:"bins"`
}

// job is a set to be measured and the score's predictions for it.
type job struct {
	name    string
	prompts []prompt
	scores  []float64
	binary  bool // quality is right or wrong
}

// measure compares the score with the other ways to route on one set of prompts.
func (j job) measure() set {
	gains := gainsOf(j.prompts)
	s := set{Name: j.name, Prompts: len(j.prompts), Groups: len(subjectsOf(j.prompts))}
	for _, p := range j.prompts {
		s.Cheap += p.cheap / float64(len(j.prompts))
		s.Strong += p.strong / float64(len(j.prompts))
	}
	names := []string{"score", "prompt length", "keyword rules", "random"}
	scores := [][]float64{j.scores, each(j.prompts, byLength), each(j.prompts, byKeywords), atRandom(j.prompts)}
	values, over := make([][]float64, len(scores)), []float64{}
	var picked, drawn []float64
	bootstrap(j.prompts, j.binary, func(indices []int) {
		drawn = pick(drawn[:0], gains, indices)
		for k := range scores {
			picked = pick(picked[:0], scores[k], indices)
			values[k] = append(values[k], apgr(picked, drawn))
		}
		over = append(over, values[0][len(over)]-values[1][len(over)])
	})
	for k := range scores {
		s.Routers = append(s.Routers, row{Name: names[k], APGR: apgr(scores[k], gains), CI: interval(values[k]),
			At20: s.Cheap + gained(scores[k], gains, 0.2), At50: s.Cheap + gained(scores[k], gains, 0.5)})
	}
	s.Over, s.OverCI = s.Routers[0].APGR-s.Routers[1].APGR, interval(over)
	if j.binary {
		s.AUC = auc(j.scores, failures(j.prompts))
	}
	return s
}

func pick(dst, from []float64, indices []int) []float64 {
	for _, i := range indices {
		dst = append(dst, from[i])
	}
	return dst
}

// measureAll works on two sets at a time; each is the same whatever the order.
func measureAll(jobs []job) []set {
	out := make([]set, len(jobs))
	var wg sync.WaitGroup
	turns := make(chan struct{}, 2)
	for i, j := range jobs {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			out[i] = j.measure()
		})
	}
	wg.Wait()
	return out
}

// corpus is all the data in its parts.
type corpus struct {
	all, training, held, bench []prompt
	heldOut                    []string
}

func readCorpus(dir string) (*corpus, error) {
	all, err := readMMLU(dir)
	if err != nil {
		return nil, err
	}
	bench, err := readBench(dir)
	if err != nil {
		return nil, err
	}
	out := holdOut(all)
	c := &corpus{all: all, bench: bench}
	c.training, c.held = splitBy(all, func(_ int, p prompt) bool { return out[p.group] })
	c.heldOut = subjectsOf(c.held)
	return c, nil
}

// predictor estimates the failure for a prompt's text.
type predictor func(text string) float64

// stems are the prompts' texts as questions alone.
func stems(prompts []prompt) []prompt {
	out := slices.Clone(prompts)
	for i := range out {
		out[i].text = linear.Clean(out[i].text, true)
	}
	return out
}

// evaluate measures the predictor on everything it has not seen, u on the families that its cross-validation left out, and a twin of it in its own domain.
func evaluate(c *corpus, predict predictor, u unseen, r recipe) *record {
	rec := &record{Recipe: r, HeldOut: c.heldOut, Resamples: resamples}
	full := each(c.held, predict)
	questions := stems(c.held)
	near, test := splitBy(c.all, inDomain)
	twin := fit(near, r).pack(r)
	rec.Sets = measureAll([]job{
		{"held-out subjects", c.held, full, true},
		{"held-out subjects, question alone", questions, each(questions, predict), true},
		{"families left out in cross-validation", c.training, u.full, true},
		{"in domain: random split, trained again", test, each(test, func(t string) float64 { return twin.Predict(t, 0).Probability }), true},
		{"MT-bench, each turn", c.bench, each(c.bench, predict), false},
		{"MT-bench, conversation by its first turn", firstTurns(c.bench), each(firstTurns(c.bench), predict), false},
	})
	failed := failures(c.held)
	cal := calibration{Base: rate(failures(c.training)), Failures: rate(failed), Brier: brier(full, failed)}
	base := make([]float64, len(full))
	for i := range base {
		base[i] = cal.Base
	}
	cal.BrierBase = brier(base, failed)
	cal.Bins, cal.ECE = reliability(full, failed)
	rec.Calibration = cal
	return rec
}

func rate(failed []bool) float64 {
	n := 0.0
	for _, f := range failed {
		if f {
			n++
		}
	}
	return n / float64(len(failed))
}
