package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/config"
)

// Requests in every form that clients in the field send (wire contract, section 1). All must be answered.
var liberalBodies = []struct{ name, messages, rest string }{
	{"content as text", `[{"role":"user","content":"hi"}]`, ``},
	{"content as parts", `[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}]`, ``},
	{"empty content in history", `[{"role":"assistant","content":""},{"role":"user","content":""}]`, ``},
	{"null content beside calls", `[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}]`, ``},
	{"absent content beside calls", `[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"1"}]}]`, ``},
	{"null content of system and assistant", `[{"role":"system","content":null},{"role":"assistant","content":null},{"role":"user","content":"x"}]`, ``},
	{"every role", `[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]`, ``},
	{"null parameters", `[{"role":"user","content":"hi"}]`, `"temperature":null,"stop":null,"tools":null,"tool_choice":null,"stream":null,"stream_options":null,"n":null,"max_tokens":null,"user":null,"session_id":null,"logit_bias":null,"response_format":null`},
	{"unknown fields", `[{"role":"user","content":"hi","cache_control":{"type":"ephemeral"},"refusal":null,"annotations":[],"audio":null,"function_call":null,"x":{"y":[1]}}]`,
		`"store":true,"metadata":{"a":"b"},"service_tier":"auto","prompt_cache_key":"k","vendor":{"deep":[1,{"a":2}]}`},
	{"a field's name in capitals is unknown", `[{"role":"user","content":"hi","Role":"system","CONTENT":7}]`, `"Messages":[],"STREAM":"yes","Max_Tokens":-4`},
	{"a message sent back verbatim", `[{"role":"user","content":"a"},{"role":"assistant","content":"b","refusal":null,"annotations":[],"reasoning_content":"thought"},{"role":"user","content":"c"}]`, ``},
	{"both limits", `[{"role":"user","content":"hi"}]`, `"max_tokens":5,"max_completion_tokens":6`},
	{"stop as text", `[{"role":"user","content":"hi"}]`, `"stop":"x"`},
	{"stop as list", `[{"role":"user","content":"hi"}]`, `"stop":["x","y"]`},
	{"tool choice as text", `[{"role":"user","content":"hi"}]`, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"`},
	{"tool choice as object", `[{"role":"user","content":"hi"}]`, `"tools":[{"type":"function","function":{"name":"f","parameters":null}}],"tool_choice":{"type":"function","function":{"name":"f"}}`},
	{"n of one", `[{"role":"user","content":"hi"}]`, `"n":1`},
	{"stream false", `[{"role":"user","content":"hi"}]`, `"stream":false,"stream_options":{"include_usage":true}`},
}

func TestCompatRequestsAreLiberal(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	r.up.on("any", answer("ok"))
	for _, b := range liberalBodies {
		t.Run(b.name, func(t *testing.T) {
			body := `{"model":"lab/any","messages":` + b.messages
			if b.rest != "" {
				body += "," + b.rest
			}
			r.want(200, post(acme.Key, body+"}"), nil)
		})
	}
	t.Run("headers and queries", func(t *testing.T) {
		q := post(acme.Key, ask("lab/any", "hi", nil))
		q.Path += "?api-version=2024-02-01&x=1"
		q.Header = map[string]string{"OpenAI-Organization": "o", "OpenAI-Project": "p", "OpenAI-Beta": "assistants=v2", "X-Stainless-Lang": "js", "HTTP-Referer": "http://x",
			"Content-Type": "application/json; charset=utf-8", "Accept": "text/event-stream", "Authorization": "bEaReR " + acme.Key}
		r.want(200, q, nil)
		r.want(200, request{Method: "POST", Path: "/v1/chat/completions", Header: map[string]string{"X-Api-Key": acme.Key}, Body: ask("lab/any", "hi", nil)}, nil)
	})
	t.Run("twelve MiB", func(t *testing.T) {
		image := "data:image/png;base64," + strings.Repeat("A", 12<<20)
		body := map[string]any{"model": "lab/any", "messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "image_url", "image_url": map[string]any{"url": image}}}}}}
		r.want(200, post(acme.Key, body), nil)
		calls := r.up.calls("any")
		if !bytes.Contains(calls[len(calls)-1].raw, []byte(image)) {
			t.Error("the image did not arrive whole")
		}
	})
	t.Run("hundreds of messages", func(t *testing.T) {
		var list []any
		for i := range 900 {
			list = append(list, map[string]any{"role": []string{"user", "assistant"}[i%2], "content": fmt.Sprint("m", i)})
		}
		r.want(200, post(acme.Key, map[string]any{"model": "lab/any", "messages": append(list, map[string]any{"role": "user", "content": "end"})}), nil)
		calls := r.up.calls("any")
		if got := calls[len(calls)-1].said(); len(got) != 901 || got[0] != "user:m0" || got[899] != "assistant:m899" {
			t.Errorf("%d messages arrived, from %s", len(got), got[0])
		}
	})
}

// forwarded are parameters that must reach the provider byte for byte (section 2).
var forwarded = []string{
	`"temperature":0`, `"top_p":0.0`, `"seed":0`, `"stop":["\u00e9\n","äöü"]`, `"presence_penalty":-0`, `"frequency_penalty":0e0`, `"logit_bias":{"50256":-100,"1":0.50}`,
	`"logprobs":false`, `"top_logprobs":0`, `"reasoning_effort":"low"`, `"parallel_tool_calls":false`, `"max_completion_tokens":9`,
	`"response_format":{"type":"json_schema","json_schema":{"strict":true,"name":"n","schema":{"zeta":1,"$defs":{"B":{"type":"object"},"A":{"anyOf":[{"const":null},{"$ref":"#/$defs/B"}]}},"alpha":"\u2028 ☃"}}}`,
	`"tool_choice":{"type":"function","function":{"name":"f"}}`,
}

func TestCompatForwardsBytes(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	r.up.on("bytes", answer("ok"))
	const schema = `{"type":"object","$defs":{"Z":{"type":"string","description":"日本\u0041"},"A":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/Z"}]}},"properties":{"zz":{"const":1.0},"ID":{"type":"string"},"id":{"type":"string"}},"required":["zz"]}`
	const messages = `[{"role":"system","content":"s  \u00fc"},{"role":"user","name":"ada","content":[{"type":"image_url","image_url":{"detail":"high","url":"https://example.com/a%20b.png?x=1&y=<2>"}},{"type":"text","text":"sn\u2603w & <b>"}]},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"call_B","type":"function","function":{"name":"f","arguments":"{ \"b\" : 1.0,\n\"a\":\"\u00e9\" }"}},{"id":"call_A","type":"function","function":{"name":"g","arguments":"not json"}}]},` +
		`{"role":"tool","tool_call_id":"call_A","content":"2"},{"role":"tool","tool_call_id":"call_B","content":[{"type":"text","text":"1"}]},{"role":"user","content":"go"}]`
	for _, stream := range []bool{false, true} {
		body := fmt.Sprintf(`{"model":"lab/bytes","stream":%v,"messages":%s,"tools":[{"type":"function","function":{"name":"f","description":"d & <x>","strict":false,"parameters":%s}},{"type":"function","function":{"name":"g"}}],%s}`,
			stream, messages, schema, strings.Join(forwarded, ","))
		q := post(acme.Key, body)
		q.Header = map[string]string{"Cookie": "secret=1", "X-Custom": "1", "Clawless-Session": "", "Proxy-Authorization": "Basic x"}
		r.want(200, q, nil)
		calls := r.up.calls("bytes")
		c := calls[len(calls)-1]
		for _, want := range append([]string{schema, `"strict":false`, `"content":[{"type":"image_url","image_url":{"detail":"high","url":"https://example.com/a%20b.png?x=1&y=<2>"}},{"type":"text","text":"sn\u2603w & <b>"}]`,
			`"name":"ada"`, `"model":"bytes"`}, forwarded...) {
			if !bytes.Contains(c.raw, []byte(want)) {
				t.Errorf("stream %v: the provider did not get %s: %s", stream, want, c.raw)
			}
		}
		if got := c.said(); len(got) != 6 || got[0] != "system:s  ü" || got[3] != "tool:2" {
			t.Errorf("order of messages: %q", got)
		}
		list := c.body.Messages[2]["tool_calls"].([]any)
		first := list[0].(map[string]any)
		if first["id"] != "call_B" || first["function"].(map[string]any)["arguments"] != "{ \"b\" : 1.0,\n\"a\":\"é\" }" {
			t.Errorf("tool call: %v", first)
		}
		if has := bytes.Contains(c.raw, []byte("stream_options")); has != stream {
			t.Errorf("stream %v: stream_options sent: %v", stream, has)
		}
		if stream && !bytes.Contains(c.raw, []byte(`"include_usage":true`)) {
			t.Error("usage was not asked for")
		}
		for name := range c.header {
			if strings.HasPrefix(name, "X-") || name == "Cookie" || name == "Proxy-Authorization" || strings.Contains(strings.Join(c.header[name], " "), acme.Key) {
				t.Errorf("header %s went to the provider", name)
			}
		}
		if got := c.header.Get("Authorization"); got != "Bearer "+labKey {
			t.Errorf("provider's key: %q", got)
		}
	}
}

// completion is the answer as strict clients read it.
type completion struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index        int            `json:"index"`
		Message      map[string]any `json:"message"`
		FinishReason string         `json:"finish_reason"`
	} `json:"choices"`
	Usage    map[string]any `json:"usage"`
	Clawless map[string]any `json:"clawless"`
}

var upstreamAnswers = []struct {
	name, body string
	has        []string
	hasNot     []string
}{
	{"text", `{"id":"u","object":"chat.completion","created":1.5e9,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hé\u2028"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		[]string{`"content":"hé\u2028"`, `"finish_reason":"stop"`, `"prompt_tokens":1,"completion_tokens":2,"total_tokens":3`, `"refusal":null`, `"logprobs":null`}, []string{"tool_calls", "reasoning"}},
	{"a strange finish reason", `{"choices":[{"message":{"content":"x"},"finish_reason":"eos_token"}]}`, []string{`"finish_reason":"stop"`, `"usage":{"prompt_tokens":`}, nil},
	{"cut by length", `{"choices":[{"message":{"content":"x"},"finish_reason":"length"}],"usage":null}`, []string{`"finish_reason":"length"`, `"usage":{"prompt_tokens":`}, []string{`"usage":null`}},
	{"calls beside stop", `{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}},{"id":"a","function":{"name":"g","arguments":{"x":1}}}]},"finish_reason":"stop"}]}`,
		[]string{`"content":null`, `"finish_reason":"tool_calls"`, `"arguments":"{}"`, `"arguments":"{\"x\":1}"`, `"type":"function"`}, nil},
	{"reasoning apart", `{"choices":[{"message":{"content":"out","reasoning":"in"},"finish_reason":"stop"}]}`, []string{`"content":"out"`, `"reasoning_content":"in"`}, nil},
	{"refusal", `{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}`, []string{`"refusal":"no"`, `"content":null`}, nil},
	{"logprobs", `{"choices":[{"message":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}],"refusal":null},"finish_reason":"stop"}]}`,
		[]string{`"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]`}, nil},
	{"nothing said", `{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}`, []string{`"content":""`}, nil},
}

func TestCompatAnswerInOnePiece(t *testing.T) {
	r := lite(t, nil)
	acme := r.tenant("acme", nil)
	ids := map[string]bool{}
	for i, c := range upstreamAnswers {
		t.Run(c.name, func(t *testing.T) {
			model := r.up.on(fmt.Sprint("whole", i), func(u *upcall) { u.json(c.body) })
			a := r.want(200, post(acme.Key, ask(model, "hi", nil)), nil)
			for _, s := range c.has {
				if !bytes.Contains(a.body, []byte(s)) {
					t.Errorf("lacks %s: %s", s, a.body)
				}
			}
			for _, s := range c.hasNot {
				if bytes.Contains(a.body, []byte(s)) {
					t.Errorf("holds %s: %s", s, a.body)
				}
			}
			var got completion
			a.read(t, &got)
			if got.ID == "" || ids[got.ID] || got.Object != "chat.completion" || got.Created < 1_600_000_000 || got.Created > 4_000_000_000 || got.Model != model || len(got.Choices) != 1 {
				t.Errorf("head of the answer: %s", a.body)
			}
			ids[got.ID] = true
			if m := got.Choices[0].Message; m["role"] != "assistant" {
				t.Errorf("message: %v", m)
			} else if _, ok := m["content"]; !ok {
				t.Errorf("no content key: %v", m)
			}
			for _, k := range []string{"prompt_tokens", "completion_tokens", "total_tokens"} {
				if n, ok := got.Usage[k].(float64); !ok || n < 0 || n != float64(int64(n)) {
					t.Errorf("usage.%s is %v", k, got.Usage[k])
				}
			}
			if ct := a.header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("Content-Type %q", ct)
			}
		})
	}
}

func TestCompatModels(t *testing.T) {
	r := lite(t, func(c *config.Settings) { // with a second one, an unknown name is nobody's
		c.Providers["other"] = config.Provider{Driver: "openai", BaseURL: "http://127.0.0.1:1/v1"}
	})
	acme := r.tenant("acme", map[string]any{"allowed_models": []string{"lab/*"}})
	var list struct {
		Object string
		Data   []struct {
			ID, Object string
			OwnedBy    string `json:"owned_by"`
			Created    *json.Number
		}
	}
	r.want(200, request{Path: "/v1/models", Key: acme.Key}, &list)
	if list.Object != "list" || len(list.Data) != 3 || list.Data[0].ID != "default" || list.Data[1].ID != "lab/org/large" || list.Data[2].ID != "lab/small" {
		t.Fatalf("list: %+v", list)
	}
	for _, m := range list.Data {
		if m.Object != "model" || m.OwnedBy == "" || m.Created == nil || !regexp.MustCompile(`^\d+$`).MatchString(m.Created.String()) {
			t.Errorf("model: %+v", m)
		}
	}
	r.play(t, []scenario{
		{"one", request{Path: "/v1/models/lab/small", Key: acme.Key}, 200, []string{`"id":"lab/small"`}, nil},
		{"slashes", request{Path: "/v1/models/lab/org/large", Key: acme.Key}, 200, []string{`"id":"lab/org/large"`}, nil},
		{"encoded slashes", request{Path: "/v1/models/lab%2Forg%2Flarge", Key: acme.Key}, 200, []string{`"id":"lab/org/large"`}, nil},
		{"unknown", request{Path: "/v1/models/lab/none", Key: acme.Key}, 404, []string{`"code":"model_not_found"`}, nil},
		{"not allowed is not there", request{Path: "/v1/models/mock/echo", Key: acme.Key}, 404, []string{`"code":"model_not_found"`}, nil},
		{"unknown in chat", post(acme.Key, ask("nobody/none", "x", nil)), 404, []string{`"code":"model_not_found"`, `"param":"model"`}, nil},
		{"not allowed in chat", post(acme.Key, ask("mock/echo", "x", nil)), 403, []string{`"code":"model_not_allowed"`}, nil},
		{"bad key", request{Path: "/v1/models", Key: "clw_sk_nope"}, 401, []string{`"code":"invalid_api_key"`}, []string{"nope"}},
		{"unknown query is tolerated", request{Path: "/v1/models?order=x", Key: acme.Key}, 200, nil, nil},
	})
}
