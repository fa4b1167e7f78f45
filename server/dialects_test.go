package server

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/chat/dialect"
)

// spoken is an answer in no dialect.
type spoken struct {
	Thought, Said             string
	Calls                     []string
	Finish                    string
	In, Out, Cached, Thinking int64
	Model                     string
	Receipt                   dialect.Receipt
}

// tongue is one dialect: how to ask a question with a tool, and how to read the answer.
type tongue struct {
	path  string
	body  func(model, text string) map[string]any
	whole func(t *testing.T, body []byte) spoken
	parts func(t *testing.T, events []map[string]any) spoken
}

var tongues = map[string]tongue{
	"chat":      {"/v1/chat/completions", chatQuestion, chatAnswer, chatEvents},
	"messages":  {"/v1/messages", messagesQuestion, messagesAnswer, messagesEvents},
	"responses": {"/v1/responses", responsesQuestion, responsesAnswer, responsesEvents},
}

const citySchemaOnly = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`

func chatQuestion(model, text string) map[string]any {
	return ask(model, text, map[string]any{"tools": json.RawMessage(weatherTool), "max_tokens": 500, "stream_options": map[string]any{"include_usage": true}})
}

func messagesQuestion(model, text string) map[string]any {
	return ask(model, text, map[string]any{"max_tokens": 500, "tools": []any{map[string]any{"name": "get_weather", "input_schema": json.RawMessage(citySchemaOnly)}}})
}

func responsesQuestion(model, text string) map[string]any {
	return map[string]any{"model": model, "input": text, "max_output_tokens": 500,
		"tools": []any{map[string]any{"type": "function", "name": "get_weather", "parameters": json.RawMessage(citySchemaOnly), "strict": nil}}}
}

func decode(t *testing.T, from any, into any) {
	t.Helper()
	raw, ok := from.([]byte)
	if !ok {
		raw, _ = json.Marshal(from)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
}

// chatBody is a completion, or one of its chunks.
type chatBody struct {
	Model   string
	Choices []struct {
		Message, Delta struct {
			Content   string
			Reasoning string `json:"reasoning_content"`
			ToolCalls []struct {
				Index    int
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Finish string `json:"finish_reason"`
	}
	Usage *struct {
		In     int64 `json:"prompt_tokens"`
		Out    int64 `json:"completion_tokens"`
		Prompt struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Detail struct {
			Thinking int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	Clawless *dialect.Receipt
}

func (b chatBody) into(s *spoken) {
	s.Model = b.Model
	for _, c := range b.Choices {
		for _, m := range []struct {
			text, thought string
		}{{c.Message.Content, c.Message.Reasoning}, {c.Delta.Content, c.Delta.Reasoning}} {
			s.Said, s.Thought = s.Said+m.text, s.Thought+m.thought
		}
		for i, call := range c.Message.ToolCalls {
			s.add(i, call.Function.Name, call.Function.Arguments)
		}
		for _, call := range c.Delta.ToolCalls {
			s.add(call.Index, call.Function.Name, call.Function.Arguments)
		}
		if c.Finish != "" {
			s.Finish = c.Finish
		}
	}
	if u := b.Usage; u != nil {
		s.In, s.Out, s.Cached, s.Thinking = u.In, u.Out, u.Prompt.Cached, u.Detail.Thinking
	}
	if b.Clawless != nil {
		s.Receipt = *b.Clawless
	}
}

// add takes in a piece of a call; the name comes first.
func (s *spoken) add(index int, name, arguments string) {
	for len(s.Calls) <= index {
		s.Calls = append(s.Calls, "")
	}
	if name != "" {
		name += " "
	}
	s.Calls[index] += name + arguments
}

func chatAnswer(t *testing.T, body []byte) (s spoken) {
	var b chatBody
	decode(t, body, &b)
	b.into(&s)
	return s
}

func chatEvents(t *testing.T, events []map[string]any) (s spoken) {
	for _, e := range events {
		var b chatBody
		decode(t, e, &b)
		b.into(&s)
	}
	return s
}

type messagesUsage struct {
	In     int64 `json:"input_tokens"`
	Out    int64 `json:"output_tokens"`
	Cached int64 `json:"cache_read_input_tokens"`
}

func (u messagesUsage) into(s *spoken) { s.In, s.Out, s.Cached = u.In+u.Cached, u.Out, u.Cached }

var finishes = map[string]string{"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "completed": "stop", "incomplete": "length"}

func messagesAnswer(t *testing.T, body []byte) (s spoken) {
	var b struct {
		Model   string
		Content []struct {
			Type, Text, Thinking, Name string
			Input                      json.RawMessage
		}
		Stop     string `json:"stop_reason"`
		Usage    messagesUsage
		Clawless dialect.Receipt
	}
	decode(t, body, &b)
	for _, c := range b.Content {
		s.Said, s.Thought = s.Said+c.Text, s.Thought+c.Thinking
		if c.Type == "tool_use" {
			s.Calls = append(s.Calls, c.Name+" "+string(c.Input))
		}
	}
	b.Usage.into(&s)
	s.Model, s.Finish, s.Receipt, s.Thinking = b.Model, finishes[b.Stop], b.Clawless, b.Clawless.Tokens.Thinking // the dialect has no word for it
	return s
}

func messagesEvents(t *testing.T, events []map[string]any) (s spoken) {
	tools := -1
	for _, raw := range events {
		var e struct {
			Type    string
			Message struct{ Model string }
			Block   struct{ Type, Name string } `json:"content_block"`
			Delta   struct {
				Text, Thinking string
				Partial        string `json:"partial_json"`
				Stop           string `json:"stop_reason"`
			}
			Usage    messagesUsage
			Clawless *dialect.Receipt
		}
		decode(t, raw, &e)
		switch e.Type {
		case "message_start":
			s.Model = e.Message.Model
		case "content_block_start":
			if e.Block.Type == "tool_use" {
				tools++
				s.add(tools, e.Block.Name, "")
			}
		case "content_block_delta":
			s.Said, s.Thought = s.Said+e.Delta.Text, s.Thought+e.Delta.Thinking
			if e.Delta.Partial != "" {
				s.add(tools, "", e.Delta.Partial)
			}
		case "message_delta":
			e.Usage.into(&s)
			s.Finish, s.Receipt, s.Thinking = finishes[e.Delta.Stop], *e.Clawless, e.Clawless.Tokens.Thinking
		}
	}
	return s
}

func responsesAnswer(t *testing.T, body []byte) (s spoken) {
	var b struct {
		Model, Status string
		Output        []struct {
			Type, Name, Arguments string
			Summary, Content      []struct{ Text string }
		}
		Usage struct {
			In     int64 `json:"input_tokens"`
			Out    int64 `json:"output_tokens"`
			Prompt struct {
				Cached int64 `json:"cached_tokens"`
			} `json:"input_tokens_details"`
			Detail struct {
				Thinking int64 `json:"reasoning_tokens"`
			} `json:"output_tokens_details"`
		}
		Clawless dialect.Receipt
	}
	decode(t, body, &b)
	s.Finish = finishes[b.Status]
	for _, item := range b.Output {
		for _, p := range item.Summary {
			s.Thought += p.Text
		}
		for _, p := range item.Content {
			s.Said += p.Text
		}
		if item.Type == "function_call" {
			s.Calls, s.Finish = append(s.Calls, item.Name+" "+item.Arguments), "tool_calls"
		}
	}
	s.Model, s.Receipt = b.Model, b.Clawless
	s.In, s.Out, s.Cached, s.Thinking = b.Usage.In, b.Usage.Out, b.Usage.Prompt.Cached, b.Usage.Detail.Thinking
	return s
}

// responsesEvents reads the last event, and holds the pieces before it against it.
func responsesEvents(t *testing.T, events []map[string]any) spoken {
	last, err := json.Marshal(events[len(events)-1]["response"])
	if err != nil {
		t.Fatal(err)
	}
	s := responsesAnswer(t, last)
	var said, thought string
	for _, e := range events {
		switch e["type"] {
		case "response.output_text.delta":
			said += e["delta"].(string)
		case "response.reasoning_summary_text.delta":
			thought += e["delta"].(string)
		}
	}
	if said != s.Said || thought != s.Thought {
		t.Errorf("the pieces say %q and %q, the whole %q and %q", said, thought, s.Said, s.Thought)
	}
	return s
}

// manyWords are scripts of answers with all that the dialects have words for.
var manyWords = map[string]func(*upcall){
	"text":  talk("", []string{"Grü", "ezi 🌥\n", "\"you\""}, nil, "stop"),
	"short": talk("", []string{"cut of"}, nil, "length"),
	"tools": talk("I look it up.", []string{"One ", "moment."}, []string{`{"city":"Zürich"}`, `{"city":"Bern"}`}, "tool_calls"),
}

// talk is a script that thinks, speaks and calls get_weather with each of the arguments.
func talk(thought string, pieces, calls []string, finish string) func(*upcall) {
	const usage = `{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60,"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":5}}`
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	return func(c *upcall) {
		var list []string
		for i, arguments := range calls {
			list = append(list, fmt.Sprintf(`{"index":%d,"id":"call_%d","type":"function","function":{"name":"get_weather","arguments":%s}}`, i, i, quote(arguments)))
		}
		if !c.body.Stream {
			c.json(`{"choices":[{"index":0,"message":{"role":"assistant","reasoning_content":` + quote(thought) + `,"content":` + quote(strings.Join(pieces, "")) + `,"tool_calls":[` +
				strings.Join(list, ",") + `]},"finish_reason":"` + finish + `"}],"usage":` + usage + `}`)
			return
		}
		delta := func(d string) { c.frame(`{"choices":[{"index":0,"delta":` + d + `,"finish_reason":null}]}`) }
		if thought != "" {
			delta(`{"reasoning_content":` + quote(thought) + `}`)
		}
		for _, p := range pieces {
			delta(`{"content":` + quote(p) + `}`)
		}
		for _, call := range list {
			delta(`{"tool_calls":[` + call + `]}`)
		}
		c.frame(`{"choices":[{"index":0,"delta":{},"finish_reason":"` + finish + `"}]}`)
		c.frame(`{"choices":[],"usage":` + usage + `}`)
		c.frame("[DONE]")
	}
}

// dataOf are the events of a stream of any dialect.
func dataOf(t *testing.T, body []byte) (out []map[string]any) {
	t.Helper()
	for _, line := range strings.Split(string(body), "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok && data != "[DONE]" {
			var e map[string]any
			decode(t, []byte(data), &e)
			out = append(out, e)
		}
	}
	return out
}

// TestDialectsAgree: the same question has the same answer, calls, end, tokens, receipt and line of the ledger in each dialect, in one piece and streamed, stateless and in a session.
func TestDialectsAgree(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		for name, script := range manyWords {
			model := r.up.on("talk-"+name, script)
			want := spoken{}
			for _, in := range []string{"", "session"} {
				for who, tongue := range tongues {
					for _, stream := range []bool{false, true} {
						at := fmt.Sprintf("%s %s %v %s", name, who, stream, in)
						c := r.tenant(strings.ReplaceAll(strings.TrimSpace(at), " ", "-"), nil)
						q := request{Method: "POST", Path: tongue.path, Key: c.Key, Header: map[string]string{}}
						body := tongue.body(model, easy)
						if body["stream"] = stream; in != "" {
							q.Header["Clawless-Session"] = r.session(c.Key, nil)
						}
						q.Body = body
						a := r.want(200, q, nil)
						var got spoken
						if stream {
							got = tongue.parts(t, dataOf(t, a.body))
						} else {
							got = tongue.whole(t, a.body)
						}
						if in != "" && (got.Receipt.SessionID != q.Header["Clawless-Session"] || got.Receipt.RunID != a.header.Get("Clawless-Run-Id")) {
							t.Errorf("%s: receipt %+v", at, got.Receipt)
						}
						lines := r.ledger(c)
						if len(lines) != 1 || lines[0].Input != got.In || lines[0].Output != got.Out || lines[0].Model != model || lines[0].Outcome != "completed" {
							t.Errorf("%s: ledger %+v", at, lines)
						}
						got.Receipt = steady(got.Receipt)
						if want.Model == "" {
							want = got
							if want.Finish == "" || want.Said == "" || want.In != 40 || want.Cached != 16 || want.Thinking != 5 || want.Receipt.Route == nil || (name == "tools") != (len(want.Calls) == 2) {
								t.Fatalf("%s: %+v", at, want)
							}
						}
						if !reflect.DeepEqual(got, want) {
							t.Errorf("%s:\n got %+v\nwant %+v", at, got, want)
						}
					}
				}
			}
		}
	})
}

// steady leaves out of a receipt what is another each time.
func steady(r dialect.Receipt) dialect.Receipt {
	r.SessionID, r.RunID = "", ""
	for i := range r.Attempts {
		r.Attempts[i].MS, r.Attempts[i].FirstMS = 0, 0
	}
	return r
}

// TestDialectsFailAlike: a failure has one status and one code in each dialect, and one that comes after the first token is an error at the end of the stream.
func TestDialectsFailAlike(t *testing.T) {
	r := lite(t, nil)
	c := r.tenant("acme", map[string]any{"allowed_models": []string{"lab/*"}})
	refused := r.up.on("refused", refuse(400, "application/json", `{"error":{"message":"bad words","type":"invalid_request_error","code":"bad"}}`))
	limited := r.up.on("limited", status(429, "Retry-After", "3000"))
	gone := r.up.on("gone", status(404))
	broken := r.up.on("broken", func(c *upcall) { c.text("some "); c.write("data: {\n\n") })
	for who, tongue := range tongues {
		for _, stream := range []bool{false, true} {
			for _, f := range []struct {
				model, code, retry string
				status             int
			}{{refused, "bad", "", 400}, {limited, "rate_limit_exceeded", "3000", 429}, {"mock/echo", "model_not_allowed", "", 403}, {gone, "model_not_found", "", 404}} {
				body := tongue.body(f.model, easy)
				body["stream"] = stream
				a := r.do(request{Method: "POST", Path: tongue.path, Key: c.Key, Body: body})
				a.envelope(t)
				if p := a.problem(t); a.status != f.status || p.Code != f.code || a.header.Get("Retry-After") != f.retry {
					t.Errorf("%s, stream %v, %s: %d, Retry-After %q: %s", who, stream, f.model, a.status, a.header.Get("Retry-After"), a.body)
				}
			}
		}
		body := tongue.body(broken, easy)
		body["stream"] = true
		a := r.want(200, request{Method: "POST", Path: tongue.path, Key: c.Key, Body: body}, nil)
		events := dataOf(t, a.body)
		last := events[len(events)-1]
		if failed, ok := last["error"].(map[string]any); !ok || failed["code"] != "stream_broken" || !strings.Contains(string(a.body), "some ") || strings.Contains(string(a.body), "[DONE]") {
			t.Errorf("%s: %s", who, a.body)
		}
		if strings.Contains(string(a.body), `"end_turn"`) || strings.Contains(string(a.body), "response.completed") || strings.Contains(string(a.body), `"finish_reason":"stop"`) {
			t.Errorf("%s: a broken answer has an end: %s", who, a.body)
		}
	}
	if got := r.ledger(c); len(got) != len(tongues) {
		t.Errorf("ledger: %+v", got)
	}
}
