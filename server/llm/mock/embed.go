package mock

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"unicode"

	"github.com/clawless/clawless/server/llm"
)

// embedder is the model that makes vectors.
const embedder = "embed"

const (
	defaultDimensions = 256
	maxDimensions     = 4096
	stem              = 5 // runes of a word that count as its stem, so that "cat" and "cats" or "compute" and "computer" are near
)

func planEmbed(p *Provider, c *call) script {
	return script{fail: &llm.Error{Class: llm.ClassInvalid, Provider: p.name, Status: 400, Type: "invalid_request_error", Param: "model", Code: "invalid_value",
		Message: "the model makes vectors and no text; use /v1/embeddings"}}
}

// Embed implements llm.Embedder with the model "embed". The same text always becomes the same vector.
func (p *Provider) Embed(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
	c := &call{ctx: ctx, provider: p.name}
	n := req.Dimensions
	if n == 0 {
		n = defaultDimensions
	}
	switch {
	case ctx.Err() != nil:
		return nil, c.canceled()
	case req.Model != embedder:
		return nil, &llm.Error{Class: llm.ClassNotFound, Provider: p.name, Status: 404, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
			Message: "no mock model but " + embedder + " makes vectors"}
	case len(req.Input) == 0:
		return nil, c.invalid("input", "invalid_value", "input must hold at least one text")
	case n < 1 || n > maxDimensions:
		return nil, c.invalid("dimensions", "invalid_value", "dimensions must be from 1 to 4096")
	}
	out := &llm.Embeddings{Model: req.Model, Vectors: make([][]float32, len(req.Input)), Usage: &llm.Usage{}}
	for i, text := range req.Input {
		out.Vectors[i] = vector(text, n)
		out.Usage.Input += tokens(text)
	}
	return out, nil
}

// vector adds up a direction for each word and, at half the weight, for its stem, and makes the sum one unit long. A text without words points along the first axis.
func vector(text string, n int) []float32 {
	sum := make([]float64, n)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, w := range words {
		add(sum, w, 1)
		if runes := []rune(w); len(runes) > stem {
			w = string(runes[:stem])
		}
		add(sum, "stem "+strings.TrimSuffix(w, "s"), 0.5)
	}
	var square float64
	for _, v := range sum {
		square += v * v
	}
	if square == 0 {
		sum[0], square = 1, 1
	}
	out := make([]float32, n)
	for i, v := range sum {
		out[i] = float32(v / math.Sqrt(square))
	}
	return out
}

// add moves the sum along the word's own axes, in directions that the word decides.
func add(sum []float64, word string, weight float64) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word)) // a hash takes everything
	bits := h.Sum64()
	for range 3 { // several axes, so that two words that share one are still told apart
		sign := weight
		if bits&1 == 1 {
			sign = -weight
		}
		sum[int((bits>>1)%uint64(len(sum)))] += sign
		bits = bits*6364136223846793005 + 1442695040888963407
		bits ^= bits >> 29
	}
}
