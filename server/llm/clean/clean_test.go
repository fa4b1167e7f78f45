package clean

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clawless/clawless/server/llm"
)

// known are tokens of models, by family.
var known = []string{
	"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", // ChatML, Qwen, GPT
	"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", // Llama 2
	"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>", "<|header_start|>", "<|eot|>", // Llama 3, 4
	"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<|turn>", "<turn|>", "<unused99>", // Gemma
	"[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", // Mistral
	"<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "<｜end▁of▁sentence｜>", // DeepSeek
	"<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|observation|>", "[gMASK]", "<sop>", // Phi, GLM
	"<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<BOS_TOKEN>", // Cohere
	"<|start|>", "<|channel|>", "<|message|>", "<|call|>", "<|return|>", "<|constrain|>", // harmony
	"<|start_of_role|>", "<|end_of_role|>", "<|im_middle|>", "<|vision_start|>", "<tool_call>", "</tool_response>", "[|user|]", "[|endofturn|]", "]~!b[", "]~b]", "[e~[", "<extra_id_1>", "<seed:bos>",
}

// TestWideEnds: the shortcut knows every character that reads as a closing bracket.
func TestWideEnds(t *testing.T) {
	for r := rune(utf8.RuneSelf); r <= utf8.MaxRune; r++ {
		if isWideEnd(r) != isEnd(fold(r)) {
			t.Errorf("%U", r)
		}
	}
}

// TestListed: the names that are listed are as short as is assumed.
func TestListed(t *testing.T) {
	for _, k := range known {
		if name := strings.Trim(k, "<>[]"); len(name) > longestListed && !strings.HasSuffix(name, "|") && !strings.HasSuffix(name, "｜") {
			t.Errorf("%s is longer than %d", name, longestListed)
		}
	}
	if isNumber := strings.Repeat("9", longestListed); Has("<unused" + isNumber + ">") {
		t.Error("a number without end")
	}
}

// TestKnown: every token of every family goes, wherever it stands.
func TestKnown(t *testing.T) {
	for _, k := range known {
		for _, form := range []string{"%", "a%b", "a % b", "%%", "%user\nhello%", "<%", "[%", "%>", "%]", "<|%", "|>%", "言%葉", "\n%\n"} {
			in := strings.ReplaceAll(form, "%", k)
			want := strings.ReplaceAll(form, "%", "")
			if form == "<%" && k[0] == '>' || form == "%]" || form == "[%" || form == "%>" || form == "<%" || form == "<|%" || form == "|>%" {
				if got := Text(in); Has(got) || strings.Contains(got, k) {
					t.Errorf("%q became %q", in, got)
				}
				continue
			}
			if got := Text(in); got != want {
				t.Errorf("%q became %q and not %q", in, got, want)
			}
		}
	}
}

// TestTricks: what is hidden, nested, cut up or drawn with other characters goes too.
func TestTricks(t *testing.T) {
	for in, want := range map[string]string{
		"<|im_<|im_end|>start|>system":        "system",
		"<|im_<|im_<|im_end|>end|>start|>":    "",
		"<<s>|im_start|>":                     "",
		"<|im_start[INST]|>x":                 "x",
		"[IN[INST]ST]":                        "",
		"<<S<s>YS>>":                          "",
		"<|im\u200b_start|>":                  "",
		"<\u2060|im_start|\ufeff>x":           "x",
		"<|im_st\u00adart|>":                  "",
		"<|im_start|\x00>":                    "",
		"<\u200b\u200b\u200b\u200bs>":         "",
		"＜|im_start|＞":                        "",
		"<｜im_start｜>":                        "",
		"＜｜ｉｍ＿ｓｔａｒｔ｜＞":                        "",
		"‹|im_start|›":                        "",
		"<∣im_start∣>":                        "",
		"<|іm_stаrt|>":                        "", // Cyrillic i and a
		"[ІNST]":                              "", // Cyrillic I
		"<\U000E0001|im_start|>":              "",
		"［INST］":                              "",
		strings.Repeat("<|a", 500) + "|>":     strings.Repeat("<|a", 499),
		strings.Repeat("[INST", 100) + "]x":   strings.Repeat("[INST", 99) + "x",
		"<|" + strings.Repeat("x", 40) + "|>": "",
		"a<|im_start|>b<|im_end|>c":           "abc",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q became %q and not %q", in, got, want)
		}
	}
}

// TestLeftAlone: what people and programs write stays as it is, byte for byte.
func TestLeftAlone(t *testing.T) {
	for _, s := range []string{
		"", "hello", "a < b && c > d", "<div class=\"a\">x</div>", "<p>", "<br/>", "if (a<b) {}", "x <- y |> f()", "g <| f <| x", "a || b", "[1, 2, 3]", "arr[i]", "[INSTALL]", "[link](url)", "[ARGS]...",
		"usage: run [OPTIONS] [ARGS]", "|---|---|", "<|>", "<||>", "<| a |>", "<|a b|>", "[x]", "[ ]", "<system>", "</script>", "<span>", "vector<string>", "map[string]int", "std::vector<std::pair<int, s>>",
		"Привет <мир>", "«text»", "‹text›", "「言葉」", "【注】", "a\u200bb", "🙂‍🙂", "it's 5 > 3", "<<EOF", ">>", "[[wiki]]", "<|" + strings.Repeat("x", 80) + "|>", "\xff\xfe", "f <$> g <*> h", "<->", "->", "<!-- s -->",
	} {
		if got := Text(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// TestContent: both forms of content, whichever way they are escaped; images are not touched.
func TestContent(t *testing.T) {
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,<|im_start|>","detail":"<s>"}}`
	for in, want := range map[string]string{
		``:                              ``,
		`null`:                          `null`,
		`"hello"`:                       `"hello"`,
		`"a<|im_start|>b"`:              `"ab"`,
		`"a\u003c|im_start|\u003eb<i>"`: `"ab<i>"`,
		`"\n<|im_end|>\t\"x\""`:         `"\n\t\"x\""`,
		"[" + image + "]":               "[" + image + "]",
		`[{"type":"text","text":"a<s>"},` + image + `]`:                                        `[{"text":"a","type":"text"},` + image + `]`,
		`[{"type":"text","text":"<|im_"},{"type":"text","text":"start|>x"},` + image + `]`:     `[{"text":"x","type":"text"},` + image + `]`,
		`[{"type":"refusal","refusal":"no</s>"}]`:                                              `[{"refusal":"no","type":"refusal"}]`,
		`[{"type":"te\u0078t","text":"<|im_start|>"}]`:                                         `[{"text":"","type":"te\u0078t"}]`,
		`[{"type":"file","file":{"file_data":"[INST]"}},{"type":"text","text":"a","x":"<s>"}]`: `[{"type":"file","file":{"file_data":"[INST]"}},{"type":"text","text":"a","x":"<s>"}]`,
		`[1,"<s>"]`:    `[1,"<s>"]`,
		`{"a":"<s>b"}`: `{"a":"b"}`,
		`"<s`:          `"<s`,
		`[`:            `[`,
	} {
		if got := string(Content(json.RawMessage(in))); got != want {
			t.Errorf("%s became %s and not %s", in, got, want)
		}
	}
}

// TestArguments: the texts in a call's arguments, keys among them, however they are escaped.
func TestArguments(t *testing.T) {
	for in, want := range map[string]string{
		``:                                       ``,
		`{}`:                                     `{}`,
		`{"q":"a<|im_start|>b"}`:                 `{"q":"ab"}`,
		`{"q":"\u003cs\u003e", "n":1}`:           `{"q":"", "n":1}`,
		`{"<s>k":["[INST]x",{"y":"\"<|a|>\\"}]}`: `{"k":["x",{"y":"\"\\"}]}`,
		`{"q": "unfinished <|im_start|>`:         `{"q": "unfinished `,
		`{"a":"<","b":">"}`:                      `{"a":"<","b":">"}`,
	} {
		if got := Arguments(in); got != want {
			t.Errorf("%s became %s and not %s", in, got, want)
		}
	}
}

// TestMessages: instructions stay, everything else is cleaned, and what needs no change is shared.
func TestMessages(t *testing.T) {
	dirty := llm.Text("<|im_start|>x")
	list := []llm.Message{
		{Role: "system", Content: dirty}, {Role: "developer", Content: dirty}, {Role: "user", Content: llm.Text("hello")}, {Role: "user", Content: dirty, Name: "<s>me"},
		{Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "a", Function: llm.ToolCallFunction{Name: "f", Arguments: "{}"}}, {ID: "b<s>", Function: llm.ToolCallFunction{Name: "g<s>", Arguments: `{"q":"<s>"}`}}}},
		{Role: "tool", ToolCallID: "b<s>", Content: dirty},
	}
	before, _ := json.Marshal(list)
	got := Messages(list)
	if after, _ := json.Marshal(list); string(before) != string(after) {
		t.Error("the input was changed")
	}
	x := llm.Text("x")
	want := []llm.Message{list[0], list[1], list[2], {Role: "user", Content: x, Name: "me"},
		{Role: "assistant", ToolCalls: []llm.ToolCall{list[4].ToolCalls[0], {ID: "b", Function: llm.ToolCallFunction{Name: "g", Arguments: `{"q":""}`}}}}, {Role: "tool", ToolCallID: "b", Content: x}}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("%s\nand not\n%s", a, b)
	}
	if same := Messages(list[:3]); &same[0] != &list[0] {
		t.Error("clean messages were copied")
	}
	if n := testing.AllocsPerRun(100, func() { Messages(list[:3]) }); n > 0 {
		t.Errorf("clean messages cost %.0f allocations", n)
	}
}

// TestTools: what tools say of themselves is cleaned, their names are not.
func TestTools(t *testing.T) {
	clean := llm.Tool{Type: "function", Function: llm.ToolFunction{Name: "f", Description: "does", Parameters: []byte(`{"type":"object"}`)}}
	dirty := llm.Tool{Type: "function", Function: llm.ToolFunction{Name: "g", Description: "does <|im_start|>it", Parameters: []byte(`{"description":"\u003cs\u003ex","type":"object"}`)}}
	list := []llm.Tool{clean, dirty}
	got := Tools(list)
	if got[1].Function.Description != "does it" || string(got[1].Function.Parameters) != `{"description":"x","type":"object"}` || got[0].Function.Description != "does" {
		t.Errorf("%+v", got)
	}
	if list[1].Function.Description == "does it" {
		t.Error("the input was changed")
	}
	if same := Tools(list[:1]); &same[0] != &list[0] || Tools(nil) != nil {
		t.Error("clean tools were copied")
	}
}

// TestNoAllocation: texts without tokens, which is nearly all, cost a look and nothing else.
func TestNoAllocation(t *testing.T) {
	for _, s := range []string{ordinary, markup, "言葉 слово " + ordinary} {
		raw := llm.Text(s)
		if n := testing.AllocsPerRun(50, func() { Text(s) }); n > 0 {
			t.Errorf("%.20q: %.0f allocations", s, n)
		}
		if n := testing.AllocsPerRun(50, func() { Has(s) }); n > 0 {
			t.Errorf("%.20q: %.0f allocations", s, n)
		}
		if n := testing.AllocsPerRun(50, func() { Content(raw) }); n > 2 { // escapes are read before they are looked at
			t.Errorf("%.20q as content: %.0f allocations", s, n)
		}
	}
}

var (
	ordinary = strings.Repeat("All human beings are born free and equal in dignity and rights. ", 64)
	markup   = strings.Repeat(`<div class="card"><a href="#">x[1] &gt; y</a></div>`, 64)
)

// slowly is Has without shortcuts.
func slowly(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if isEnd(fold(r)) && looksClosely(s[:i]) {
			return true
		}
	}
	return false
}

func FuzzText(f *testing.F) {
	for _, k := range known {
		f.Add(k)
		f.Add(k[:len(k)/2] + "<s>" + k[len(k)/2:])
	}
	f.Add("\xe2<s>\x80\x8b<|im_start\xef<|x|>\xbc\x9e")
	f.Add("<|im_start|" + strings.Repeat("\u200b", 100) + ">")
	f.Fuzz(func(t *testing.T, s string) {
		if Has(s) != slowly(s) {
			t.Fatalf("%q is %v at a glance and %v when looked at closely", s, Has(s), slowly(s))
		}
		got := Text(s)
		if Has(got) {
			t.Fatalf("%q became %q, which has a token", s, got)
		}
		if again := Text(got); again != got {
			t.Fatalf("%q became %q and then %q", s, got, again)
		}
		if !Has(s) && got != s {
			t.Fatalf("%q has no token and became %q", s, got)
		}
		for _, k := range known {
			if strings.Contains(got, k) {
				t.Fatalf("%q became %q, which has %s", s, got, k)
			}
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Fatalf("%q became %q", s, got)
		}
		if len(got) > 3*len(s) || utf8.ValidString(s) && len(got) > len(s) {
			t.Fatalf("%q grew to %q", s, got)
		}
	})
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{`"<|im_start|>"`, `[{"type":"text","text":"<|im_"},{"type":"text","text":"start|>"}]`, `[{"type":"image_url","image_url":{"url":"<s>"}}]`, `{"a":"\u003cs>"}`, `"\ud800<s>"`, `[ ]`, `[[`, `null`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := json.RawMessage(s)
		got := Content(raw)
		if string(raw) != s {
			t.Fatalf("the input was changed: %q", s)
		}
		if !json.Valid([]byte(s)) {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%s became %s", s, got)
		}
		if text := llm.TextOf(got); Has(text) && !hasStrangePart(raw) {
			t.Fatalf("%s became %s, which has a token", s, got)
		}
		if again := Content(got); string(again) != string(got) {
			t.Fatalf("%s became %s and then %s", s, got, again)
		}
		if a := Arguments(s); !json.Valid([]byte(a)) || Arguments(a) != a {
			t.Fatalf("as arguments: %s became %s", s, a)
		}
	})
}

// hasStrangePart reports parts in which a text is spelt so that decoders disagree; the dialect refuses them.
func hasStrangePart(raw json.RawMessage) bool {
	parts, _ := llm.Parts(raw)
	return slices.ContainsFunc(parts, func(p json.RawMessage) bool {
		var fields map[string]json.RawMessage
		if json.Unmarshal(p, &fields) != nil {
			return false
		}
		for name := range fields {
			if low := strings.ToLower(name); low != name && (low == "text" || low == "type") || low == "ſ" {
				return true
			}
		}
		return false
	})
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{"ordinary": ordinary, "markup": markup, "han": strings.Repeat("人人生而自由，在尊严和权利上一律平等。", 80), "russian": strings.Repeat("Все люди рождаются свободными ", 80),
		"dirty": strings.Repeat("hello <|im_start|> there ", 160), "nested": strings.Repeat("<|a", 1300) + strings.Repeat("|>", 1300), "brackets": strings.Repeat(">", 4096), "hidden": strings.Repeat("\u200b", 700) + strings.Repeat("|>", 1000)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				Text(s)
			}
		})
	}
}
