package dialect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawless/clawless/server/llm"
)

// TestNothingIsUncounted: what a provider would read as text is counted as text, wherever a caller hides it.
func TestNothingIsUncounted(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	file, err := json.Marshal([]map[string]any{{"type": "file", "file": map[string]string{"file_data": long}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]Size{
		"a name": Prompt([]llm.Message{{Role: "user", Name: long}}, nil),
		"a file": Prompt([]llm.Message{{Role: "user", Content: file}}, nil),
	} {
		if size.Tokens() < 20_000 {
			t.Errorf("%s: %d tokens", name, size.Tokens())
		}
	}
	var s Size
	s.AddParams(map[string]json.RawMessage{"response_format": llm.Text(long)})
	if s.Tokens() < 20_000 {
		t.Errorf("a schema: %d tokens", s.Tokens())
	}
	body := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"long","Text":""}]}]}`
	if _, err := Read([]byte(body)); err == nil || !strings.Contains(err.Error(), "Text") {
		t.Errorf("two spellings of one field: %v", err)
	}
}

// TestErrorsAreBounded: a request made of errors alone does not cost more than it did to send.
func TestErrorsAreBounded(t *testing.T) {
	for _, field := range []string{"content", "tool_calls"} {
		body := `{"model":"m","messages":[{"role":"user","` + field + `":[` + strings.Repeat("0,", 100_000) + `0]}]}`
		_, err := Read([]byte(body))
		if err == nil || len(err.Error()) > 4096 {
			t.Errorf("%s: the error is missing or endless", field)
		}
	}
}
