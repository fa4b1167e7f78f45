package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// recipe is everything that is chosen about a model. The chosen one is in select.go.
type recipe struct {
	Spec           linear.Spec `json:"spec"`
	WordScale      float64     `json:"word_scale"`      // length of the vector of words; 0 leaves them out
	CharScale      float64     `json:"char_scale"`      // length of the vector of character n-grams; 0 leaves them out
	StructureScale float64     `json:"structure_scale"` // size of a structural feature one standard deviation from its mean
	L2             float64     `json:"l2"`
	StructureL2    float64     `json:"structure_l2"`  // draws the structural weights towards their priors
	Prior          float64     `json:"prior"`         // what the priors are multiplied with
	Rate           float64     `json:"rate"`          // of learning, at the start
	Epochs         int         `json:"epochs"`        // the weights are averaged over the second half of them
	SubjectPower   float64     `json:"subject_power"` // a subject of n questions weighs n to this power
	Signed         bool        `json:"signed"`        // the structural features keep their signs
	CommonIn       int         `json:"common_in"`     // a word is common when it is found in so many subjects
}

// example is one form of one training question.
type example struct {
	vector linear.Vector
	x      [linear.Structural]float64 // standardised
	y      float64
	weight float64
}

// weights are a model before it is packed into small numbers. The place of a weight w in a log-odds is w times the size of the feature.
type weights struct {
	words, chars    []float64
	structure       [linear.Structural]float64
	bias            float64
	mean, deviation [linear.Structural]float64
	common          []string
}

// commonWords lists the words that are found in at least so many subjects.
func commonWords(prompts []prompt, subjects int) []string {
	in, last := map[string]int{}, map[string]string{}
	for _, p := range prompts {
		for w := range strings.FieldsFuncSeq(strings.ToLower(p.text), func(r rune) bool { return r != '\'' && (r < 'a' || r > 'z') && r < 128 }) {
			if w = strings.TrimLeft(w, "'"); w != "" && last[w] != p.group {
				last[w] = p.group
				in[w]++
			}
		}
	}
	var out []string
	for w, n := range in {
		if n >= subjects {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// prepare reads every prompt in both of its forms.
func prepare(prompts []prompt, r recipe, w *weights) []example {
	x := linear.NewExtractor(r.Spec, w.common)
	sizes := map[string]float64{}
	for _, p := range prompts {
		sizes[p.group]++
	}
	examples := make([]example, 0, 2*len(prompts))
	total := 0.0
	for _, p := range prompts {
		for _, stem := range []bool{false, true} {
			e := example{weight: math.Pow(sizes[p.group], r.SubjectPower-1)}
			if p.failed() {
				e.y = 1
			}
			x.Extract(p.text, stem, &e.vector)
			total += e.weight
			examples = append(examples, e)
		}
	}
	for i := range examples {
		examples[i].weight *= float64(len(examples)) / total
	}
	return examples
}

// standardise finds mean and deviation of the structural features, and applies them.
func standardise(examples []example, w *weights) {
	n := float64(len(examples))
	for k := range linear.Structural {
		sum, squares := 0.0, 0.0
		for i := range examples {
			sum += examples[i].vector.Structure[k]
		}
		for i := range examples {
			d := examples[i].vector.Structure[k] - sum/n
			squares += d * d
		}
		w.mean[k], w.deviation[k] = sum/n, math.Sqrt(squares/n)
		for i := range examples {
			examples[i].x[k] = examples[i].vector.Standardised(k, w.mean[k], w.deviation[k])
		}
	}
}

// fit trains on the prompts. The same prompts and recipe give the same weights.
func fit(prompts []prompt, r recipe) *weights {
	w := &weights{common: commonWords(prompts, r.CommonIn)}
	examples := prepare(prompts, r, w)
	standardise(examples, w)
	w.learn(examples, r)
	return w
}

// learner is the state of one training. Its hashed weights are kept divided by scale, so that regularisation does not touch all of them at each step.
type learner struct {
	recipe
	words, chars []float64
	structure    [linear.Structural]float64
	bias, scale  float64
	step         float64
}

// learn is stochastic gradient descent on the logistic loss with L2, averaged over the second half of the epochs.
func (w *weights) learn(examples []example, r recipe) {
	l := &learner{recipe: r, words: make([]float64, 1<<r.Spec.WordBits), chars: make([]float64, 1<<r.Spec.CharBits), scale: 1}
	w.words, w.chars = make([]float64, len(l.words)), make([]float64, len(l.chars))
	rng := rand.New(rand.NewPCG(20240810, 2))
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	averaged := float64(r.Epochs - r.Epochs/2)
	for epoch := range r.Epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			l.see(&examples[i])
		}
		if epoch < r.Epochs/2 {
			continue
		}
		for i, v := range l.words {
			w.words[i] += v * l.scale * l.WordScale / averaged
		}
		for i, v := range l.chars {
			w.chars[i] += v * l.scale * l.CharScale / averaged
		}
		for k, v := range l.structure {
			w.structure[k] += v * l.StructureScale / averaged
		}
		w.bias += l.bias / averaged
	}
}

// see takes one step of the descent.
func (l *learner) see(e *example) {
	words, chars := size(l.WordScale, e.vector.Words), size(l.CharScale, e.vector.Chars)
	z := l.bias + l.scale*(words*sumOf(l.words, e.vector.Words)+chars*sumOf(l.chars, e.vector.Chars))
	for k, x := range e.x { // StructureScale is above 0
		z += l.structure[k] * x * l.StructureScale
	}
	rate := l.Rate / (1 + l.step*l.Rate*l.L2)
	l.step++
	l.scale *= 1 - rate*l.L2
	g := rate * e.weight * (e.y - linear.Sigmoid(z))
	add(l.words, e.vector.Words, g*words/l.scale)
	add(l.chars, e.vector.Chars, g*chars/l.scale)
	for k, x := range e.x {
		prior := linear.Features[k].Prior * l.Prior / l.StructureScale
		v := l.structure[k] + rate*l.StructureL2*(prior-l.structure[k]) + g*x*l.StructureScale
		if sign := linear.Features[k].Sign; l.Signed && (sign > 0 && v < 0 || sign < 0 && v > 0) {
			v = 0
		}
		l.structure[k] = v
	}
	l.bias += g
}

func size(scale float64, places []uint32) float64 {
	return scale / math.Sqrt(float64(max(1, len(places))))
}

func sumOf(weights []float64, places []uint32) (sum float64) {
	for _, p := range places {
		sum += weights[p]
	}
	return sum
}

func add(weights []float64, places []uint32, v float64) {
	for _, p := range places {
		weights[p] += v
	}
}

// pack makes a model with small weights, not yet calibrated.
func (w *weights) pack(r recipe) *linear.Model {
	m := &linear.Model{Spec: r.Spec, Common: w.common, Structure: w.structure, Mean: w.mean, Deviation: w.deviation, Bias: w.bias, Slope: 1}
	m.Words, m.WordUnit = quantise(w.words)
	m.Chars, m.CharUnit = quantise(w.chars)
	return m
}

// quantise maps the weights to -127..127; the largest keeps its size.
func quantise(weights []float64) (small []int8, unit float64) {
	for _, v := range weights {
		unit = max(unit, math.Abs(v)/math.MaxInt8)
	}
	small = make([]int8, len(weights))
	for i, v := range weights {
		if unit > 0 {
			small[i] = int8(math.Round(v / unit))
		}
	}
	return small, unit
}
