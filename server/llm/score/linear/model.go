// Package linear is the model behind the score: what it reads from a text, its weights, and their form as text in a repository.
package linear

import (
	"math"
	"sync"
)

// Model is a logistic model over hashed words, hashed character n-grams and structural features. It is not changed after it is made, and safe for concurrent use.
type Model struct {
	Spec      Spec
	Common    []string            // the words that do not count as rare, sorted, in lower case
	Words     []int8              // 1<<Spec.WordBits weights in units of WordUnit
	Chars     []int8              // 1<<Spec.CharBits weights in units of CharUnit
	WordUnit  float64             // log-odds that a weight of 1 stands for, before division by the root of the number of words
	CharUnit  float64             // the same for character n-grams
	Structure [Structural]float64 // log-odds for each standard deviation of a structural feature
	Mean      [Structural]float64 // of the training texts
	Deviation [Structural]float64 // of the training texts; 0 leaves the feature out
	Bias      float64             // log-odds of an average text
	Slope     float64             // calibration: Slope*raw + Offset is the log-odds that are reported
	Offset    float64
	Quantiles []float64 // probabilities of held-out prompts at equally spaced shares, from the lowest to the highest; empty before they are measured

	once      sync.Once
	extractor *Extractor
	pool      sync.Pool
}

// deviations is how far from the training's mean a structural feature counts.
const deviations = 4

// Standardised gives structural feature i in standard deviations from its mean, at most 4 either way, and 0 where the training had no variation. A share of few words
// is drawn towards 0.
func (v *Vector) Standardised(i int, mean, deviation float64) float64 {
	const enough = 8 // words, with which a share counts half
	if deviation <= 0 {
		return 0
	}
	z := min(deviations, max(-deviations, (v.Structure[i]-mean)/deviation))
	if Features[i].Share {
		z *= float64(v.Tokens) / float64(v.Tokens+enough)
	}
	return z
}

// Outcome is a probability and whether there was anything to base it on.
type Outcome struct {
	Probability float64 // that the cheap model fails, 0 to 1
	Known       bool    // the text has words, and is not in a language that the training never saw
}

// Predict estimates the outcome for a text. extra are log-odds to be added for what is not text.
func (m *Model) Predict(text string, extra float64) Outcome {
	m.once.Do(func() {
		m.extractor = NewExtractor(m.Spec, m.Common)
		m.pool.New = func() any { return new(Vector) }
	})
	v := m.pool.Get().(*Vector)
	defer m.pool.Put(v)
	m.extractor.Extract(text, false, v)
	return Outcome{Probability: Sigmoid(m.Slope*m.Raw(v) + m.Offset + extra), Known: isFamiliar(v)}
}

// Raw gives the log-odds before calibration. The products are converted so that no compiler fuses them, and every machine gives the same score.
func (m *Model) Raw(v *Vector) float64 {
	raw := m.Bias
	for i, w := range m.Structure {
		raw += float64(w * v.Standardised(i, m.Mean[i], m.Deviation[i]))
	}
	raw += float64(m.WordUnit * mean(m.Words, v.Words))
	raw += float64(m.CharUnit * mean(m.Chars, v.Chars))
	return raw
}

// mean is the sum of the weights over the root of their number, so that a long text is not extreme by its length alone.
func mean(weights []int8, places []uint32) float64 {
	if len(places) == 0 || len(weights) == 0 {
		return 0
	}
	sum := 0
	for _, p := range places {
		sum += int(weights[p])
	}
	return float64(sum) / math.Sqrt(float64(len(places)))
}

// isFamiliar refuses texts without words and, from a few words on, texts of which hardly a word is known: another language, or noise.
func isFamiliar(v *Vector) bool {
	const few = 4
	if v.Tokens == 0 {
		return false
	}
	if v.Structure[foreign] > 0.5 {
		return false
	}
	return v.Tokens < few || v.Known*5 >= v.Tokens
}

// Sigmoid turns log-odds into a probability.
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
