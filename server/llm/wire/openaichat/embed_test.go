package openaichat

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

func TestEmbed(t *testing.T) {
	two := &llm.EmbedRequest{Model: "m", Input: []string{"a\u2028", "b"}}
	var sent string
	for _, tt := range []struct {
		name, body string
		dimensions int
		want       string
		class      llm.Class
	}{
		{"in order", `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}],"model":"m-1","usage":{"prompt_tokens":5,"total_tokens":5}}`, 0, "m-1 [[1 2] [3 4]] 5", ""},
		{"out of order", `{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}]}`, 2, " [[1 2] [3 4]] -1", ""},
		{"not numbered", `{"data":[{"embedding":[1,2]},{"embedding":[3,4]}],"usage":null}`, 0, " [[1 2] [3 4]] -1", ""},
		{"one too few", `{"data":[{"index":0,"embedding":[1,2]}]}`, 0, "", llm.ClassBroken},
		{"one twice", `{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}`, 0, "", llm.ClassBroken},
		{"beyond the end", `{"data":[{"index":0,"embedding":[1,2]},{"index":7,"embedding":[1,2]}]}`, 0, "", llm.ClassBroken},
		{"of two lengths", `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}`, 0, "", llm.ClassBroken},
		{"empty", `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`, 0, "", llm.ClassBroken},
		{"numbers that are too large", `{"data":[{"index":0,"embedding":[1e99,2]},{"index":1,"embedding":[1,2]}]}`, 0, "", llm.ClassBroken},
		{"not shortened", `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}`, 1, "", llm.ClassInvalid},
		{"an error with 200", `{"error":{"message":"busy","type":"overloaded_error"}}`, 0, "", llm.ClassOverloaded},
		{"no answer", `{}`, 0, "", llm.ClassBroken},
		{"no JSON", `<html>`, 0, "", llm.ClassBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, Dialect{}, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				sent = r.URL.Path + " " + string(b)
				reply("application/json", tt.body)(w, r)
			})
			req := *two
			req.Dimensions = tt.dimensions
			got, err := c.Embed(t.Context(), &req)
			if tt.class != "" {
				if e := llm.AsError(err); e == nil || e.Class != tt.class || e.Provider != "lab" || tt.class == llm.ClassInvalid && (e.Param != "dimensions" || e.Code != "unsupported_parameter") {
					t.Fatalf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tokens := int64(-1)
			if got.Usage != nil {
				tokens = got.Usage.Input
			}
			if s := fmt.Sprint(got.Model, " ", got.Vectors, " ", tokens); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
			want := `/v1/embeddings {"model":"m","input":["a` + "\u2028" + `","b"],"encoding_format":"float"`
			if tt.dimensions > 0 {
				want += fmt.Sprintf(`,"dimensions":%d`, tt.dimensions)
			}
			if sent != want+"}" {
				t.Errorf("sent %s", sent)
			}
		})
	}
}

func TestEmbedFails(t *testing.T) {
	c := serve(t, Dialect{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"slow down, sk-test"}}`)
	})
	_, err := c.Embed(t.Context(), &llm.EmbedRequest{Model: "m", Input: []string{"a"}})
	if e := llm.AsError(err); e == nil || e.Class != llm.ClassRateLimit || e.RetryAfter.Seconds() != 2 || strings.Contains(e.Error(), "sk-test") {
		t.Errorf("got %v", err)
	}
	_, err = c.Embed(t.Context(), &llm.EmbedRequest{Model: "m"})
	if e := llm.AsError(err); e == nil || e.Class != llm.ClassInvalid || e.Param != "input" {
		t.Errorf("no texts: got %v", err)
	}
}
