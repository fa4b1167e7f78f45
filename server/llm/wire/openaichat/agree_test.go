package openaichat

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/wire"
	"github.com/clawless/clawless/server/llm/wire/frame"
)

// FuzzAgree reads a frame after another one twice, with and without the short cut for frames of the same shape, and compares.
func FuzzAgree(f *testing.F) {
	pad := `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"obfuscation":"xyz"}`
	args := delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}`)
	begin := func(i, id string) string {
		return delta(`{"tool_calls":[{"index":` + i + `,"id":"` + id + `","function":{"name":"f","arguments":""}}]}`)
	}
	f.Add(begin("0", "a"), args, args, strings.Replace(args, `{\"a`, `\n`, 1))
	f.Add(begin("0", "a"), args, begin("1", "b"), args)
	f.Add(begin("0", "a"), args, begin("0", "b"), args)
	f.Add(begin("0", "a"), args, args, strings.Replace(args, `"index":0`, `"index":1`, 1))
	f.Add(args, args, begin("0", ""), args)
	for _, pair := range [][2]string{
		{delta(`{"content":"a"}`), delta(`{"content":"b\n\u00fc\ud83d"}`)},
		{delta(`{"content":"a"}`), delta(`{"content":""}`)},
		{delta(`{"content":"a"}`), delta(`{"content":"b","content":"c"}`)},
		{delta(`{"content":"a"}`), delta(`{"content":"b"},"x":{"content":"c"}`)},
		{delta(`{"reasoning":"a","content":""}`), delta(`{"reasoning":"b","content":"\u0000"}`)},
		{delta(`{"reasoning":"a","reasoning_content":"a"}`), delta(`{"reasoning":"b","reasoning_content":"b"}`)},
		{delta(`{"content":"a","tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}`), delta(`{"content":"b"}`)},
		{pad, strings.Replace(pad, "xyz", "q\\u", 1)}, {pad, strings.Replace(pad, `"a"`, "\"\x80\xff\"", 1)},
		{`{"choices":[{"delta":{"CONTENT":"x","content":"a"}}]}`, `{"choices":[{"delta":{"CONTENT":"x","content":"b"}}]}`},
		{`{"choices":[{"delta":{"content":"a"}}],"error":null}`, `{"choices":[{"delta":{"content":"a"}}],"error":{}}`},
	} {
		f.Add(pair[0], pair[1], pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, first, second, third, fourth string) {
		e := &wire.Endpoint{Provider: "lab"}
		quick, slow := &decoder{e: e}, &decoder{e: e}
		for _, data := range []string{first, second, third, fourth} {
			slow.shape = frame.Template{} // forget what was learned
			a, okA, failA := quick.read([]byte(data))
			b, okB, failB := slow.read([]byte(data))
			if okA != okB || show(a) != show(b) || (failA == nil) != (failB == nil) || failA != nil && failA.Class != failB.Class {
				t.Fatalf("after %q %q %q the frame %q is %s, %v, but in full %s, %v", first, second, third, data, show(a), failA, show(b), failB)
			}
			if failA != nil {
				return
			}
		}
		for i, c := range quick.calls.list {
			if string(c.args) != string(slow.calls.list[i].args) {
				t.Fatal("the arguments differ")
			}
		}
		if fmt.Sprint(quick.usage, quick.reason, quick.finished, quick.calls.len()) != fmt.Sprint(slow.usage, slow.reason, slow.finished, slow.calls.len()) {
			t.Fatal("the states differ")
		}
	})
}

// show compares chunks without the ids that are made up.
func show(c llm.Chunk) string {
	for i := range c.ToolCalls {
		if strings.HasPrefix(c.ToolCalls[i].ID, "call_") {
			c.ToolCalls[i].ID = "call"
		}
	}
	return fmt.Sprintf("%q %q %q %v %s %q", c.Text, c.Reasoning, c.Refusal, c.ToolCalls, c.Logprobs, c.Model)
}

func TestShortCutIsTaken(t *testing.T) {
	for name, form := range map[string]string{
		"content":     delta(`{"content":"%s"}`),
		"ollama":      delta(`{"role":"assistant","content":"%s"}`),
		"reasoning":   delta(`{"content":"","reasoning_content":"%s"}`),
		"obfuscation": strings.TrimSuffix(delta(`{"content":"%s"}`), "}") + `,"obfuscation":"%[1]sX"}`,
	} {
		d := &decoder{e: &wire.Endpoint{}}
		for i := range 3 {
			text := fmt.Sprintf("w%d", i)
			data := fmt.Sprintf(form, text)
			if _, got, ok := d.shape.Match([]byte(data)); ok != (i > 0) || ok && got != text {
				t.Errorf("%s, frame %d: %q, %v", name, i, got, ok)
			}
			if out, ok, fail := d.read([]byte(data)); !ok || fail != nil || out.Text+out.Reasoning != text {
				t.Errorf("%s, frame %d: %+v, %v", name, i, out, fail)
			}
		}
	}
}

func TestShortCutOfArguments(t *testing.T) {
	d := &decoder{e: &wire.Endpoint{}}
	feed := func(index int, text string, quick bool) {
		t.Helper()
		data := []byte(delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":"%s"}}]}`, index, text)))
		_, _, matched := d.shape.Match(data)
		if matched = matched && d.shaped.of == d.calls.len(); matched != quick {
			t.Errorf("%s: the short cut is taken: %v", data, matched)
		}
		if out, ok, fail := d.read(data); !ok || fail != nil || len(out.ToolCalls) != 1 || out.ToolCalls[0].Index != index || out.ToolCalls[0].Arguments != text {
			t.Errorf("%s: %+v, %v", data, out, fail)
		}
	}
	begin := func(index int) {
		t.Helper()
		if _, ok, fail := d.read([]byte(delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":"c%[1]d","function":{"name":"f","arguments":""}}]}`, index)))); !ok || fail != nil {
			t.Fatal(fail)
		}
	}
	begin(0)
	feed(0, "{", false)
	feed(0, "a", true)
	begin(1)
	feed(1, "{", false)
	feed(1, "b", true)
	feed(0, "c", false)
	feed(0, "d", true)
	for i := range 6 { // until no more shapes are learned: the last one that was stays with its call
		feed(1-i%2, "x", i == 5)
	}
	if got := string(d.calls.list[0].args) + string(d.calls.list[1].args); got != "{acdxxx{bxxx" {
		t.Errorf("got %s", got)
	}
}

// stream200 is an answer of 200 text frames.
func stream200() string {
	frames := []string{delta(`{"role":"assistant","content":""}`)}
	for i := range 200 {
		frames = append(frames, delta(fmt.Sprintf(`{"content":" word%d"}`, i)))
	}
	return events(append(frames, finish("stop"), usageFrame, "[DONE]")...)
}

// BenchmarkStream measures the whole way of a stream of 200 chunks from a loopback server that sends it at once.
func BenchmarkStream(b *testing.B) {
	body := stream200()
	c := serve(b, Dialect{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, body)
	})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range c.Stream(b.Context(), streaming) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/chunk")
}

// BenchmarkDecode measures the reading of the frames alone, with and without the short cut.
func BenchmarkDecode(b *testing.B) {
	frames := strings.Split(strings.TrimSuffix(strings.ReplaceAll(stream200(), "data: ", ""), "\n\n"), "\n\n")
	frames = frames[:len(frames)-1] // without [DONE]
	for _, short := range []bool{true, false} {
		b.Run(fmt.Sprintf("short=%v", short), func(b *testing.B) {
			data := make([][]byte, len(frames))
			for i := range frames {
				data[i] = []byte(frames[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				d := &decoder{e: &wire.Endpoint{}}
				for _, f := range data {
					if !short {
						d.shape = frame.Template{}
					}
					if _, _, fail := d.read(f); fail != nil {
						b.Fatal(fail)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frames)), "ns/chunk")
		})
	}
}
