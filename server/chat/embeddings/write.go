package embeddings

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/clawless/clawless/server/chat/dialect"
)

// EmbeddingRequest documents the body of a call. Fields that are not listed are ignored; null is the same as absent.
type EmbeddingRequest struct {
	Model          string          `json:"model" doc:"provider/model of one that makes embeddings; default and auto are not taken, because vectors of different models do not go together"`
	Input          json.RawMessage `json:"input" doc:"A text, or a list of up to 2048 texts; none may be empty"`
	EncodingFormat string          `json:"encoding_format,omitempty" enum:"float,base64" doc:"float is the default; base64 is that of little-endian 32-bit floats"`
	Dimensions     *int64          `json:"dimensions,omitempty" doc:"How long the vectors shall be, for models that can shorten them"`
	User           string          `json:"user,omitempty" doc:"Your id of the end user, for the ledger"`
}

// EmbeddingList is an answer.
type EmbeddingList struct {
	Object   string           `json:"object" enum:"list"`
	Data     []Embedding      `json:"data" nullable:"false" doc:"One for each text, in the order of the texts"`
	Model    string           `json:"model" doc:"provider/model that made them"`
	Usage    EmbeddingUsage   `json:"usage"`
	Clawless *dialect.Receipt `json:"clawless,omitempty"`
}

// Embedding is one vector.
type Embedding struct {
	Object    string          `json:"object" enum:"embedding"`
	Index     int             `json:"index"`
	Embedding json.RawMessage `json:"embedding" doc:"A list of numbers, or a text with encoding_format base64"`
}

// EmbeddingUsage is what the texts took.
type EmbeddingUsage struct {
	PromptTokens int64 `json:"prompt_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

// vector appends one vector as JSON.
func vector(b []byte, v []float32, asBase64 bool) []byte {
	if asBase64 {
		raw := make([]byte, 4*len(v))
		for i, x := range v {
			binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
		}
		b = append(b, '"')
		return append(base64.StdEncoding.AppendEncode(b, raw), '"')
	}
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return append(b, ']')
}

// write writes the answer vector by vector: whole, its text would take several times the memory of the numbers.
func (k *call) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	_, _ = w.WriteString(`{"object":"list","data":[`) // the writer keeps its first error for Flush
	var b []byte
	for i, v := range k.vectors {
		b = b[:0]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, `{"object":"embedding","index":`...), int64(i), 10), `,"embedding":`...)
		b = append(vector(b, v, k.req.Base64), '}')
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	tail, err := json.Marshal(struct {
		Model    string          `json:"model"`
		Usage    EmbeddingUsage  `json:"usage"`
		Clawless dialect.Receipt `json:"clawless"`
	}{k.target.ID, EmbeddingUsage{k.tokens, k.tokens}, k.receipt})
	if err != nil {
		return err
	}
	_, _ = w.WriteString("],")
	_, _ = w.Write(tail[1:])
	_ = w.WriteByte('\n')
	return w.Flush()
}
