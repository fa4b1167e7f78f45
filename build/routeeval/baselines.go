package main

import (
	"math/rand/v2"
	"regexp"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// What people route by without a model, for comparison in the same run.
var (
	taskWords = regexp.MustCompile(`(?i)\b(prove|derive|explain|analy[sz]e|compare|evaluate|calculate|compute|solve|design|implement|debug|refactor|optimi[sz]e|step by step|why|how)\b`)
	hardWords = regexp.MustCompile(`(?i)\b(algorithm|function|code|sql|regex|theorem|equation|integral|matrix|probability|legal|contract|diagnos\w*|statute|patient|plaintiff)\b`)
	codeLooks = regexp.MustCompile("```|[{};]\\s*\\n|\\b(def|func|class|SELECT)\\b")
)

// byLength is the number of bytes of the cleaned prompt.
func byLength(text string) float64 { return float64(len(linear.Clean(text, false))) }

// byKeywords counts words for tasks and hard subjects, and three for code.
func byKeywords(text string) float64 {
	text = linear.Clean(text, false)
	n := len(taskWords.FindAllStringIndex(text, -1)) + len(hardWords.FindAllStringIndex(text, -1))
	if codeLooks.MatchString(text) {
		n += 3
	}
	return float64(n)
}

func atRandom(prompts []prompt) []float64 {
	rng := rand.New(rand.NewPCG(20240810, 3))
	out := make([]float64, len(prompts))
	for i := range out {
		out[i] = rng.Float64()
	}
	return out
}

func each(prompts []prompt, f func(string) float64) []float64 {
	out := make([]float64, len(prompts))
	for i, p := range prompts {
		out[i] = f(p.text)
	}
	return out
}
