package plain

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

func asking() *scripttest.Backend {
	b := script()
	b.Waits, b.Decided = &kit.Call{ID: "c", Name: "file_write\x1b", ApprovalID: "apr_1", Arguments: `{"path":"a.txt"}`, Taint: []string{"page.html (web)"}}, make(chan bool, 1)
	return b
}

func TestACallIsAskedAbout(t *testing.T) {
	b := asking()
	got := talk(t, b, "go\nmaybe\nY\n", func(o *Options) { o.Echo = false })
	want := "You: Tool: file_write␛ waits for your word.\n{\n  \"path\": \"a.txt\"\n}\nStrangers wrote part of what this turn has read: page.html (web).\n" +
		"May file_write␛ run? y or n: May file_write␛ run? y or n: Tool: file_write␛ done in 12ms\nAssistant: A short"
	if !strings.HasPrefix(got, want) || !slices.Equal(b.Done(), []kit.Action{{Kind: kit.Approve, RunID: "run_1", ApprovalID: "apr_1"}}) {
		t.Errorf("did %+v in\n%s", b.Done(), got)
	}
	for _, lines := range []string{"go\nn\n", "go\n"} { // a no, and the end of the input
		b := asking()
		got := talk(t, b, lines, func(o *Options) { o.Echo = false })
		if !strings.Contains(got, "denied: a person said no") || len(b.Done()) != 1 || b.Done()[0].Kind != kit.Deny {
			t.Errorf("did %+v in\n%s", b.Done(), got)
		}
	}
}

func TestWithoutAPersonACallIsDenied(t *testing.T) {
	b := asking()
	got := talk(t, b, "go\n", nil)
	if !strings.Contains(got, "Denied, because nobody can be asked here. With --approvals wait it waits for: clawless run approve run_1 apr_1\n") ||
		len(b.Done()) != 1 || b.Done()[0].Kind != kit.Deny {
		t.Errorf("did %+v in\n%s", b.Done(), got)
	}
	b = asking()
	b.Decided <- true // somebody elsewhere
	got = talk(t, b, "go\n", func(o *Options) { o.Waits = true })
	if !strings.Contains(got, "To decide: clawless run approve run_1 apr_1\nTool: file_write␛ done in 12ms\n") || len(b.Done()) != 0 {
		t.Errorf("did %+v in\n%s", b.Done(), got)
	}
}

func TestCommandsOfTheSession(t *testing.T) {
	b := script()
	got := talk(t, b, "/regenerate\n/reset\n/edit x\none\n/regenerate\n/edit\n/edit two\n/reset\n/regenerate\n/undo\n/regenerate\n/fork\n", nil)
	for _, want := range []string{"There is no message to answer again.", "There is no conversation yet.", "There is no message to edit.", "Your last message is: one\n",
		"The model no longer sees", "The conversation before the reset goes on.", "A copy goes on from here."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	var asked []kit.Ask
	for _, a := range b.Asks() {
		asked = append(asked, kit.Ask{Text: a.Text, Again: a.Again, Edit: a.Edit})
	}
	if want := []kit.Ask{{Text: "one"}, {Text: "one", Again: true}, {Text: "two", Edit: true}, {Text: "two", Again: true}}; !slices.Equal(asked, want) {
		t.Errorf("asked %+v", asked)
	}
}
