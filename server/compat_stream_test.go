package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// streams are upstream streams, good and odd, with what the answer must say (wire contract, section 4).
var streams = []struct {
	name   string
	script func(c *upcall)
	text   string
	finish string
	check  func(t *testing.T, list []chunk)
}{
	{"plain", answer("Hel", "lo ", "wörld"), "Hello wörld", "stop", nil},
	{"comments, CRLF and no space after the colon", func(c *upcall) {
		c.write(": hello\r\n\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\r\n\r\n: ping\n\nevent: message\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}, "ab", "stop", nil},
	{"preamble without choices", func(c *upcall) {
		c.frame(`{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`)
		answer("x")(c)
	}, "x", "stop", nil},
	{"runes split between writes", func(c *upcall) {
		frame := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"日本\u2028🙂\"}}]}\n\n"
		for i := range len(frame) {
			c.write(frame[i : i+1])
		}
		c.finish("stop", 1, 1)
	}, "日本\u2028🙂", "stop", nil},
	{"control characters and separators", answer("a\u0000\u001f\"\\\n\r\t", "\u2029</script>"), "a\u0000\u001f\"\\\n\r\t\u2029</script>", "stop", nil},
	{"no DONE but a finish reason", func(c *upcall) {
		c.text("x")
		c.frame(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	}, "x", "stop", nil},
	{"usage on the finish chunk, null before", func(c *upcall) {
		c.frame(`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}],"usage":null}`)
		c.frame(`{"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`)
		c.frame("[DONE]")
	}, "x", "length", nil},
	{"a null error key", func(c *upcall) {
		c.frame(`{"error":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}`)
		c.frame(`{"error":null,"choices":[{"index":0,"delta":{"role":""},"finish_reason":"stop"}]}`)
	}, "x", "stop", nil},
	{"a line of four MiB", answer(strings.Repeat("lorem ", 4<<20/6)), strings.Repeat("lorem ", 4<<20/6), "stop", nil},
	{"calls numbered 0 and in pieces", func(c *upcall) {
		for _, d := range []string{`{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}`, `{"index":0,"function":{"arguments":"{\"a\""}}`, `{"index":0,"id":"","function":{"name":"","arguments":":1}"}}`,
			`{"index":1,"id":"c2","function":{"name":"g"}}`} {
			c.frame(`{"choices":[{"index":0,"delta":{"content":null,"tool_calls":[` + d + `]},"finish_reason":null}]}`)
		}
		c.frame(`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	}, "", "tool_calls", checkCalls},
	{"logprobs over several lines", func(c *upcall) {
		c.json("{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},\"logprobs\":{\"content\":[\n{\"token\":\"x\",\r\n\"logprob\":0}]},\"finish_reason\":\"stop\"}]}")
	}, "x", "stop", nil},
}

func checkCalls(t *testing.T, list []chunk) {
	t.Helper()
	type call struct{ id, name, args string }
	var calls []call
	for _, c := range list {
		for _, ch := range c.Choices {
			for _, d := range ch.Delta.ToolCalls {
				if d.Index == nil || *d.Index > len(calls) {
					t.Fatalf("index of a call: %v", d.Index)
				}
				if *d.Index == len(calls) {
					if d.ID == nil || *d.ID == "" || d.Type == nil || *d.Type != "function" || d.Function.Name == nil {
						t.Fatalf("the first fragment of a call lacks id, type or name: %+v", d)
					}
					calls = append(calls, call{id: *d.ID, name: *d.Function.Name})
				} else if d.ID != nil || d.Type != nil || d.Function.Name != nil {
					t.Errorf("a later fragment repeats id, type or name: %+v", d)
				}
				if d.Function.Arguments == nil {
					t.Error("a fragment without arguments")
				} else {
					calls[*d.Index].args += *d.Function.Arguments
				}
			}
		}
	}
	if len(calls) != 2 || calls[0] != (call{"c1", "f", `{"a":1}`}) || calls[1] != (call{"c2", "g", "{}"}) {
		t.Errorf("calls: %+v", calls)
	}
}

func TestCompatStream(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	for i, s := range streams {
		for _, usage := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, usage %v", s.name, usage), func(t *testing.T) {
				model := r.up.on(fmt.Sprint("stream", i), s.script)
				body := ask(model, "hi", map[string]any{"stream": true})
				if usage {
					body["stream_options"] = map[string]any{"include_usage": true}
				}
				f := r.stream(post(acme.Key, body))
				for k, want := range map[string]string{"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Content-Length": "", "Content-Encoding": ""} {
					if got := f.res.Header.Get(k); got != want {
						t.Errorf("header %s: %q", k, got)
					}
				}
				list := checkForm(t, f.rest(), model, usage)
				if got, _, _ := collectChunks(list); got != s.text {
					t.Errorf("text %.200q, want %.200q", got, s.text)
				}
				if got := finishOf(list); got != s.finish {
					t.Errorf("finish reason %q, want %q", got, s.finish)
				}
				if s.check != nil {
					s.check(t, list)
				}
			})
		}
	}
}

// checkForm holds a complete stream to the rules that clients rely on and returns its chunks.
func checkForm(t *testing.T, events []event, model string, usage bool) []chunk {
	t.Helper()
	if len(events) < 2 || events[len(events)-1].Data != "[DONE]" {
		t.Fatalf("the stream does not end with [DONE]: %v", events)
	}
	var list []chunk
	finished := 0
	for i, e := range events[:len(events)-1] {
		c := parseChunk(t, e.Data)
		var keys map[string]json.RawMessage
		_ = json.Unmarshal([]byte(e.Data), &keys)
		if _, ok := keys["error"]; ok || e.ID != "" {
			t.Errorf("an error key or an id line: %s", e.Data)
		}
		if c.ID == "" || c.Created == 0 || c.Model != model || c.Object != "chat.completion.chunk" || i > 0 && (c.ID != list[0].ID || c.Created != list[0].Created) {
			t.Errorf("head of a chunk: %s", e.Data)
		}
		isUsage := usage && i == len(events)-2
		if _, has := keys["usage"]; has != isUsage || isUsage != (len(c.Choices) == 0) {
			t.Errorf("usage and choices of chunk %d of %d: %s", i, len(events), e.Data)
		}
		list = append(list, c)
		if isUsage {
			if c.Usage == nil || c.Usage.Total != c.Usage.Prompt+c.Usage.Completion {
				t.Errorf("usage: %s", e.Data)
			}
			continue
		}
		ch := c.Choices[0]
		if role := ch.Delta.Role; i == 0 && (role == nil || *role != "assistant" || ch.Delta.Content == nil) || i > 0 && role != nil {
			t.Errorf("role of chunk %d: %s", i, e.Data)
		}
		if !bytes.Contains([]byte(e.Data), []byte(`"finish_reason":`)) || !bytes.Contains([]byte(e.Data), []byte(`"delta":{`)) {
			t.Errorf("delta or finish_reason is missing: %s", e.Data)
		}
		if finished > 0 {
			t.Errorf("a chunk after the finish reason: %s", e.Data)
		}
		if ch.FinishReason != nil {
			finished++
		}
	}
	if finished != 1 {
		t.Errorf("%d chunks with a finish reason", finished)
	}
	return list
}

func collectChunks(list []chunk) (text, reasoning string, calls int) {
	for _, c := range list {
		for _, ch := range c.Choices {
			if ch.Delta.Content != nil {
				text += *ch.Delta.Content
			}
			if ch.Delta.Reasoning != nil {
				reasoning += *ch.Delta.Reasoning
			}
			calls += len(ch.Delta.ToolCalls)
		}
	}
	return text, reasoning, calls
}

func finishOf(list []chunk) string {
	for _, c := range list {
		if len(c.Choices) > 0 && c.Choices[0].FinishReason != nil {
			return *c.Choices[0].FinishReason
		}
	}
	return ""
}

// TestCompatStreamRaw reads the bytes: one data line an event, LF, flushed at once, also for a client that offers gzip; and the connection serves the next request.
func TestCompatStreamRaw(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	ahead := make(chan struct{})
	model := r.up.on("paced", func(c *upcall) {
		c.text("one")
		if c.until(ahead) {
			c.finish("stop", 1, 1)
		}
	})
	var dials int
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}}
	q := post(acme.Key, ask(model, "hi", map[string]any{"stream": true}))
	q.Header = map[string]string{"Accept-Encoding": "gzip, br"}
	res, err := client.Do(q.make(t.Context(), t, r.url))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	var seen []byte
	for !bytes.Contains(seen, []byte("one")) { // comes although the provider has not gone on
		n, err := res.Body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, buf[:n]...)
	}
	close(ahead)
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	all := string(append(seen, rest...))
	for _, e := range strings.Split(strings.TrimSuffix(all, "\n\n"), "\n\n") {
		if !strings.HasPrefix(e, "data: ") || strings.ContainsAny(e, "\n\r") {
			t.Errorf("event is not one data line: %q", e)
		}
	}
	if res, err = client.Do(request{Path: "/healthz"}.make(t.Context(), t, r.url)); err != nil || res.StatusCode != 200 {
		t.Fatalf("after the stream: %v", err)
	}
	_ = res.Body.Close()
	if dials != 1 {
		t.Errorf("%d connections for two requests", dials)
	}
}
