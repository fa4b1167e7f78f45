package llmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// embeddings checks a driver that makes vectors: with the vendor's own answer to two texts, with that answer to three, and with failures.
func embeddings(t *testing.T, drv llm.Driver, set *fixtureSet, rep *Report) {
	answer, want := set.files["embeddings.json"], set.expect.Embeddings
	r := start(t, drv, set, 0, reply("embeddings.json", http.StatusOK, answer))
	e, ok := r.provider.(llm.Embedder)
	if !ok {
		t.Skip("the driver makes no vectors")
	}
	if want == nil || len(answer) == 0 {
		t.Fatal("the driver makes vectors and lacks the fixture embeddings.json or what it means")
	}
	req := &llm.EmbedRequest{Model: "a-model", Input: []string{"one", "two"}}
	got, err := e.Embed(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got.Model != want.Model || !reflect.DeepEqual(got.Vectors, want.Vectors) || got.Usage == nil || *got.Usage != (llm.Usage{Input: want.Input}) {
		t.Errorf("got %+v with usage %+v, want %+v", got, got.Usage, want)
	}
	fails := func(name string, p llm.Provider, ctx context.Context, req *llm.EmbedRequest, class llm.Class) {
		t.Helper()
		_, err := p.(llm.Embedder).Embed(ctx, req)
		fail := llm.AsError(err)
		if fail == nil || fail.Class != class || fail.Provider != drv.Name {
			t.Errorf("%s: got %v, want %s", name, err, class)
		}
		if class == llm.ClassRateLimit && fail != nil && fail.RetryAfter != 2*time.Second {
			t.Errorf("Retry-After was read as %v", fail.RetryAfter)
		}
	}
	fails("two vectors for three texts", r.provider, t.Context(), &llm.EmbedRequest{Model: "a-model", Input: []string{"one", "two", "three"}}, llm.ClassBroken)
	fails("no texts", r.provider, t.Context(), &llm.EmbedRequest{Model: "a-model"}, llm.ClassInvalid)
	fails("vectors that cannot be shortened", r.provider, t.Context(), &llm.EmbedRequest{Model: "a-model", Input: req.Input, Dimensions: len(want.Vectors[0]) - 1}, llm.ClassInvalid)
	fails("a cut answer", start(t, drv, set, 0, reply("embeddings.json", http.StatusOK, answer[:len(answer)/2])).provider, t.Context(), req, llm.ClassBroken)
	fails("a rate limit", start(t, drv, set, 0, reply("e.json", http.StatusTooManyRequests, set.files["error.429.json"])).provider, t.Context(), req, llm.ClassRateLimit)
	fails("a refused key", start(t, drv, set, 0, reply("e.json", http.StatusUnauthorized, set.files["error.401.json"])).provider, t.Context(), req, llm.ClassAuth)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	fails("a cancelled call", r.provider, canceled, req, llm.ClassCanceled)
	sendsAll(t, drv, set, answer)
	rep.saw(rowEmbeddings, !t.Failed())
}

// sendsAll checks that the texts and the length reach the server.
func sendsAll(t *testing.T, drv llm.Driver, set *fixtureSet, answer []byte) {
	t.Helper()
	var body []byte
	r := start(t, drv, set, 0, func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body) // it was read once, by checkRequest
		body = b.Bytes()
		reply("embeddings.json", http.StatusOK, answer)(w, r)
	})
	n := len(set.expect.Embeddings.Vectors[0])
	if _, err := r.provider.(llm.Embedder).Embed(t.Context(), &llm.EmbedRequest{Model: "a-model", Input: []string{"eins\u2028\"ü\"", "zwei"}, Dimensions: n}); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Model      string
		Input      []string
		Dimensions int
	}
	if err := json.Unmarshal(body, &sent); err != nil || sent.Model != "a-model" || !reflect.DeepEqual(sent.Input, []string{"eins\u2028\"ü\"", "zwei"}) || sent.Dimensions != n {
		t.Errorf("sent %s, %v", body, err)
	}
}
