package openaichat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
)

// vectors is the answer of /embeddings.
type vectors struct {
	Data []struct {
		Index  *int      `json:"index"`
		Vector []float32 `json:"embedding"`
	} `json:"data"`
	Model string          `json:"model"`
	Usage json.RawMessage `json:"usage"`
}

// Embed implements llm.Embedder. What comes back is checked: one vector for each text, in the order of the texts, all of one length, and of the length that was
// asked for.
func (c *Client) Embed(ctx context.Context, req *llm.EmbedRequest) (*llm.Embeddings, error) {
	if len(req.Input) == 0 {
		return nil, &llm.Error{Class: llm.ClassInvalid, Provider: c.e.Provider, Status: 400, Type: "invalid_request_error", Param: "input", Code: "invalid_value", Message: "input must hold at least one text"}
	}
	a, fail := c.e.PostWhole(ctx, "/embeddings", embedBody(req))
	if fail != nil {
		return nil, fail
	}
	defer a.Close()
	body, fail := a.ReadAll()
	if fail != nil {
		return nil, fail
	}
	var got vectors
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, a.Broken("the answer holds no vectors", err)
	}
	if got.Data == nil {
		if w, ok := wire.ReadWords(bytes.TrimSpace(body)); ok {
			return nil, c.e.FromWords(0, w)
		}
		return nil, a.Broken("the answer holds no vectors", nil)
	}
	list, err := got.inOrder(len(req.Input))
	if err != nil {
		return nil, a.Broken(err.Error(), nil)
	}
	if n := len(list[0]); req.Dimensions > 0 && n != req.Dimensions {
		fail := Unsupported("dimensions", fmt.Sprintf("the vectors of %s have %d dimensions and cannot be made shorter; leave dimensions out", req.Model, n))
		fail.Provider = c.e.Provider
		return nil, fail
	}
	out := &llm.Embeddings{Model: got.Model, Vectors: list}
	if u := readUsage(got.Usage); u != nil {
		out.Usage = &llm.Usage{Input: u.Input}
	}
	return out, nil
}

func embedBody(req *llm.EmbedRequest) []byte {
	b := wire.AppendString([]byte(`{"model":`), req.Model)
	b = append(b, `,"input":[`...)
	for i, text := range req.Input {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(b, text)
	}
	b = append(b, `],"encoding_format":"float"`...)
	if req.Dimensions > 0 {
		b = strconv.AppendInt(append(b, `,"dimensions":`...), int64(req.Dimensions), 10)
	}
	return append(b, '}')
}

// inOrder is the vectors in the order of their texts. Servers that number none of them keep the order; one that numbers them wrongly cannot be trusted.
func (v *vectors) inOrder(n int) ([][]float32, error) {
	if len(v.Data) != n {
		return nil, fmt.Errorf("%d vectors came for %d texts", len(v.Data), n)
	}
	out := make([][]float32, n)
	for i, d := range v.Data {
		at := i
		if d.Index != nil {
			at = *d.Index
		}
		if at < 0 || at >= n || out[at] != nil {
			return nil, fmt.Errorf("the vectors are not numbered from 0 to %d", n-1)
		}
		if len(d.Vector) == 0 || len(d.Vector) != len(v.Data[0].Vector) {
			return nil, fmt.Errorf("vector %d is empty or of another length than the first", i)
		}
		out[at] = d.Vector
	}
	return out, nil
}
