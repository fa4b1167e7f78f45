package sessions

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/clawless/clawless/sdk"
)

func TestColumns(t *testing.T) {
	cost := int64(1500)
	answers := []sdk.ComparedAnswer{
		{Model: "a/one", MessageID: "msg_1", Content: "The moon pulls the sea, and the sea follows it around the earth.", Clawless: &sdk.Receipt{
			Tokens: &sdk.Tokens{Input: 9, Output: 14}, CostMicros: &cost, Attempts: []sdk.Attempt{{Ms: 20}, {Ms: 22}},
		}},
		{Model: "b/two", Error: &sdk.CompareError{Code: "overloaded", Message: "try \x1b[31mlater"}},
	}
	wide := columns(answers, 80, false)
	if !strings.Contains(wide[0], "a/one") || !strings.Contains(wide[0], "b/two") {
		t.Errorf("the models do not stand side by side: %q", wide[0])
	}
	for _, line := range wide {
		if w := ansi.StringWidth(line); w > 80 {
			t.Errorf("%d columns: %q", w, line)
		}
	}
	for _, width := range []int{0, 60} {
		text := strings.Join(columns(answers, width, false), "\n")
		if !strings.Contains(text, "\n\nb/two\n") || strings.Contains(text, "│") {
			t.Errorf("at width %d the answers are not one below the other:\n%s", width, text)
		}
		if !strings.Contains(text, "9 tokens in, 14 out, $0.0015, 42 ms") {
			t.Errorf("no bill:\n%s", text)
		}
		if strings.Contains(text, "\x1b") {
			t.Errorf("a control character of the server came through:\n%q", text)
		}
	}
}
