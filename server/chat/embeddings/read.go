package embeddings

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/clawless/clawless/server/chat/messages/fields"
	"github.com/clawless/clawless/server/chat/plan"
	"github.com/clawless/clawless/server/llm/policy"
)

// The bounds of a request.
const (
	maxInputs     = 2048      // OpenAI's
	maxDimensions = 16_384    // four times those of the longest vectors in use
	maxFloats     = 8_388_608 // of all vectors of an answer: 2048 times 4096, which are 32 MiB
	maxName       = 256       // bytes of what is stored with every call
)

// Request is one call, read and validated.
type Request struct {
	Model      string
	Input      []string // at least one, none of them empty
	Dimensions int      // 0 when the caller leaves it to the model
	Base64     bool     // how the vectors are written
	User       string
}

// Read reads a body in OpenAI's dialect: null is absent and unknown fields are ignored. Its fault lists every bad field.
func Read(body []byte) (*Request, error) {
	o, err := fields.Open(body)
	if err != nil {
		return nil, err
	}
	req := &Request{Model: o.Needed("model", maxName), User: o.Text("user", maxName)}
	if req.Model == plan.DefaultModel || req.Model == policy.Auto { // vectors of two models cannot be compared
		o.Fail("model", "name one that makes embeddings, not %s: vectors of different models do not go together; GET /v1/models lists them (capabilities.embedding)", req.Model)
	}
	switch f := o.Text("encoding_format", 0); f {
	case "", "float":
	case "base64":
		req.Base64 = true
	default:
		o.Fail("encoding_format", "must be float or base64")
	}
	n, _ := o.Whole("dimensions", 1, maxDimensions)
	req.Dimensions = int(n)
	req.Input = input(o)
	if len(req.Input)*req.Dimensions > maxFloats {
		o.Fail("dimensions", "%d texts of %d dimensions are more than the %d numbers of one answer; send fewer texts at once", len(req.Input), req.Dimensions, maxFloats)
	}
	return req, o.Verdict()
}

// input reads a text or a list of texts, and no more of a list than may be in it.
func input(o *fields.Object) []string {
	raw, ok := o.Raw("input")
	if !ok {
		o.Fail("input", "is required: a text, or a list of texts")
		return nil
	}
	var list []string
	switch raw[0] {
	case '"':
		list = append(list, text(raw))
	case '[':
		items := json.NewDecoder(bytes.NewReader(raw))
		_, _ = items.Token() // the bracket; the body was valid JSON a moment ago
		for items.More() {
			var item json.RawMessage
			if items.Decode(&item) != nil || !isText(o, item, len(list)) {
				return nil
			}
			if len(list) == maxInputs {
				o.Fail("input", "at most %d texts at once", maxInputs)
				return nil
			}
			list = append(list, text(item))
		}
	default:
		o.Fail("input", "must be a text, or a list of texts")
		return nil
	}
	if len(list) == 0 {
		o.Fail("input", "must hold at least one text")
	}
	if i := slices.Index(list, ""); i >= 0 {
		o.Fail("input", "text %d is empty; leave it out", i+1)
	}
	return list
}

func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s) // it begins like a string and is valid
	return s
}

// isText reports whether an entry of a list is a text, and says what to do where it is not. Numbers are what some clients make of a text that they have split themselves.
func isText(o *fields.Object, item json.RawMessage, i int) bool {
	switch c := item[0]; {
	case c == '"':
		return true
	case c == '[', c == '-', c >= '0' && c <= '9':
		o.Unsupported("input", "token numbers are not read, because each model has its own; send the texts themselves (LangChain: check_embedding_ctx_length=False)")
	default:
		o.Fail("input", "entry %d is not a text", i+1)
	}
	return false
}
