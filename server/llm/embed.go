package llm

import "context"

// Embedder is the optional capability of a provider that turns texts into vectors. It fails with one *Error and retries nothing.
type Embedder interface {
	Embed(ctx context.Context, req *EmbedRequest) (*Embeddings, error)
}

// EmbedRequest asks for one vector per text.
type EmbedRequest struct {
	Model      string   // the provider's own name
	Input      []string // at least one text
	Dimensions int      // how long the vectors shall be; zero is the model's own length. A provider that cannot shorten yields ClassInvalid for "dimensions"
}

// Embeddings are the vectors of a request's texts, in the order of the texts.
type Embeddings struct {
	Model   string // as the provider calls it
	Vectors [][]float32
	Usage   *Usage // Output is zero; nil when the provider does not count
}
