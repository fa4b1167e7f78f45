// Package score estimates from the shape and the words of the last user message how probably the cheap model of a pair fails at it.
package score

import (
	"crypto/sha256"
	_ "embed" // the weights are text beside this file
	"encoding/hex"
	"math"
	"sync"

	"github.com/clawless/clawless/server/llm/score/linear"
)

// Signals are what the score sees of a request.
type Signals struct {
	Text     string // the last user message's text; of more than 6,144 bytes the first 4,096 and the last 2,048 are read
	Messages int    // how many messages the conversation has
	Tools    int    // how many tools are offered
	Images   int
	Schema   bool // an answer in a JSON schema is asked for
}

// Result is an estimate.
type Result struct {
	Failure float64 // the probability that the cheap model fails, 0 to 1, calibrated on benchmark questions
	OK      bool    // false: there is no signal, as in an empty text or one in a language that the training never saw
}

// What is not text has no labelled data. These log-odds are set by hand: a nudge that can break a tie and cannot outweigh a text.
const (
	perDoubling = 0.05 // for each doubling of the number of messages
	forTools    = 0.15
	forImages   = 0.20
	forSchema   = 0.10
	mostExtra   = 0.60
)

//go:embed weights.txt
var text []byte

var model = sync.OnceValue(func() *linear.Model {
	m, err := linear.Decode(text)
	if err != nil { // the file is a part of the program, and a test reads it
		panic("score: the weights that this program was built with are damaged: " + err.Error())
	}
	return m
})

var version = sync.OnceValue(func() string { return VersionOf(text) })

// Score estimates the failure of the cheap model. It is safe for concurrent use; the first call decodes the weights.
func Score(s Signals) Result {
	o := model().Predict(s.Text, extra(s))
	return Result{Failure: o.Probability, OK: o.Known}
}

func extra(s Signals) float64 {
	sum := 0.0
	if s.Messages > 1 {
		sum += float64(perDoubling * math.Log2(float64(s.Messages)))
	}
	if s.Tools > 0 {
		sum += forTools
	}
	if s.Images > 0 {
		sum += forImages
	}
	if s.Schema {
		sum += forSchema
	}
	return min(mostExtra, sum)
}

// Threshold gives the score above which that share of prompts lies, by the questions of held-out subjects: 0 gives more than any score, 1 less than any. A share outside
// 0 to 1 counts as the nearer end, and what is not a number as 0. Other traffic has other shares: measure them.
func Threshold(strongShare float64) float64 {
	q := model().Quantiles
	switch {
	case !(strongShare > 0) || len(q) == 0:
		return 2
	case strongShare >= 1:
		return -1
	}
	at := (1 - strongShare) * float64(len(q)-1)
	low := int(at)
	high := min(low+1, len(q)-1)
	return q[low] + float64((at-float64(low))*(q[high]-q[low]))
}

// Version identifies the weights by the first 12 hex digits of their file's SHA-256.
func Version() string { return version() }

// VersionOf identifies weights that are not yet in the program.
func VersionOf(weights []byte) string {
	sum := sha256.Sum256(weights)
	return hex.EncodeToString(sum[:6])
}
