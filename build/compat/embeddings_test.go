package compat

import (
	"testing"

	"github.com/openai/openai-go/v3"
)

// TestEmbeddings: vectors come in the order of the texts, of the length that was asked for, and nearer for texts that share words.
func TestEmbeddings(t *testing.T) {
	client, ctx := connect(t, plenty)
	got, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "mock/embed", Dimensions: openai.Int(64),
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"the red house on the hill", "the red house by the sea", "quantum chromodynamics"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 3 || got.Model != "mock/embed" || got.Usage.PromptTokens <= 0 || got.Usage.TotalTokens != got.Usage.PromptTokens {
		t.Fatalf("%s", got.RawJSON())
	}
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	for i, e := range got.Data {
		if int(e.Index) != i || len(e.Embedding) != 64 {
			t.Errorf("vector %d has the index %d and %d numbers", i, e.Index, len(e.Embedding))
		}
	}
	first, near, far := got.Data[0].Embedding, got.Data[1].Embedding, got.Data[2].Embedding
	if dot(first, near) <= dot(first, far) {
		t.Error("texts that share words are not nearer")
	}
	_, err = client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "mock/echo", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("x")}})
	checkError(t, err, 400, "invalid_request")
}
