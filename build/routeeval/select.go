package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// chosen is the recipe that came out of `routeeval -select`, which sees the 40 training subjects alone.
var chosen = recipe{
	Spec:      linear.Spec{WordBits: 15, CharBits: 16, WordN: 2, CharMin: 3, CharMax: 5},
	WordScale: 1, CharScale: 1, StructureScale: 0.3, L2: 1e-3, StructureL2: 1e-1, Prior: 1, Rate: 0.3, Epochs: 12, SubjectPower: 1, Signed: true, CommonIn: 10,
}

// unseen are predictions for prompts whose whole family was left out of the training, in both forms.
type unseen struct {
	full, stem []float64
}

// crossValidate trains once for each fold of families and predicts the prompts of the fold; what is given are log-odds before calibration.
func crossValidate(prompts []prompt, r recipe) unseen {
	fold := familyFolds(prompts)
	out := unseen{make([]float64, len(prompts)), make([]float64, len(prompts))}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 2)
	for k := range folds {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			in, _ := splitBy(prompts, func(_ int, p prompt) bool { return fold[p.group] == k })
			m := fit(in, r).pack(r)
			x := linear.NewExtractor(m.Spec, m.Common)
			var v linear.Vector
			for i, p := range prompts {
				if fold[p.group] == k {
					x.Extract(p.text, false, &v)
					out.full[i] = m.Raw(&v)
					x.Extract(p.text, true, &v)
					out.stem[i] = m.Raw(&v)
				}
			}
		})
	}
	wg.Wait()
	return out
}

// criterion is what a recipe is chosen by: the mean of APGR and AUC over both forms.
func criterion(prompts []prompt, u unseen) (mean float64, parts [4]float64) {
	gains, failed := gainsOf(prompts), failures(prompts)
	parts = [4]float64{apgr(u.full, gains), apgr(u.stem, gains), auc(u.full, failed), auc(u.stem, failed)}
	return (parts[0] + parts[1] + parts[2] + parts[3]) / 4, parts
}

func gainsOf(prompts []prompt) []float64 {
	gains := make([]float64, len(prompts))
	for i, p := range prompts {
		gains[i] = p.strong - p.cheap
	}
	return gains
}

func failures(prompts []prompt) []bool {
	failed := make([]bool, len(prompts))
	for i, p := range prompts {
		failed[i] = p.failed()
	}
	return failed
}

// variant is one change to the recipe, by name.
type variant struct {
	name   string
	change func(*recipe)
}

var variants = []variant{
	{"as chosen", func(*recipe) {}},
	{"structure alone", func(r *recipe) { r.WordScale, r.CharScale = 0, 0 }},
	{"structure alone, signs free", func(r *recipe) { r.WordScale, r.CharScale, r.Signed = 0, 0, false }},
	{"words alone with structure", func(r *recipe) { r.CharScale = 0 }},
	{"characters alone with structure", func(r *recipe) { r.WordScale = 0 }},
	{"signs free", func(r *recipe) { r.Signed = false }},
	{"single words", func(r *recipe) { r.Spec.WordN = 1 }},
	{"characters 3 to 4", func(r *recipe) { r.Spec.CharMax = 4 }},
	{"characters 2 to 4", func(r *recipe) { r.Spec.CharMin, r.Spec.CharMax = 2, 4 }},
	{"tables of twice the size", func(r *recipe) { r.Spec.WordBits++; r.Spec.CharBits++ }},
	{"L2 / 3", func(r *recipe) { r.L2 /= 3 }},
	{"L2 x 3", func(r *recipe) { r.L2 *= 3 }},
	{"L2 x 10", func(r *recipe) { r.L2 *= 10 }},
	{"no priors", func(r *recipe) { r.Prior = 0 }},
	{"priors x 2", func(r *recipe) { r.Prior = 2 }},
	{"structure L2 / 3", func(r *recipe) { r.StructureL2 /= 3 }},
	{"structure L2 x 3", func(r *recipe) { r.StructureL2 *= 3 }},
	{"n-grams x 2", func(r *recipe) { r.WordScale *= 2; r.CharScale *= 2 }},
	{"n-grams / 2", func(r *recipe) { r.WordScale /= 2; r.CharScale /= 2 }},
	{"structure x 2", func(r *recipe) { r.StructureScale *= 2 }},
	{"structure / 2", func(r *recipe) { r.StructureScale /= 2 }},
	{"rate / 3", func(r *recipe) { r.Rate /= 3 }},
	{"twice the epochs", func(r *recipe) { r.Epochs *= 2 }},
	{"subjects by root of size", func(r *recipe) { r.SubjectPower = 0.5 }},
	{"subjects alike", func(r *recipe) { r.SubjectPower = 0 }},
	{"common in 3", func(r *recipe) { r.CommonIn = 3 }},
	{"common in 5", func(r *recipe) { r.CommonIn = 5 }},
}

// compareRecipes prints the criterion of every variant of the chosen recipe on the training subjects, best first.
func compareRecipes(out io.Writer, training []prompt) {
	type row struct {
		name  string
		mean  float64
		parts [4]float64
	}
	var rows []row
	for _, v := range variants {
		r := chosen
		v.change(&r)
		mean, parts := criterion(training, crossValidate(training, r))
		rows = append(rows, row{v.name, mean, parts})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.mean, a.mean) })
	fmt.Fprintf(out, "%-34s %9s %9s %9s %9s %9s\n", "recipe", "criterion", "APGR", "question", "AUC", "question")
	for _, r := range rows {
		fmt.Fprintf(out, "%-34s %9.4f %9.4f %9.4f %9.4f %9.4f\n", r.name, r.mean, r.parts[0], r.parts[1], r.parts[2], r.parts[3])
	}
}
