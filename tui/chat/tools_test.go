package chat

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/clawless/clawless/tui/kit"
)

// waits is a question whose call has hostile words everywhere.
func waits() *kit.Call {
	return &kit.Call{ID: "c", Name: "file_write\x1b[2J", ApprovalID: "apr_1", Arguments: `{"path":"a.txt","text":"\u001b[31mred\nand more"}`,
		Taint: []string{"https://example.com/page\x1b[2J (web)"}}
}

func TestACallIsMadeOnlyWhenAPersonSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		want kit.ActionKind
		line string
	}{
		"allowed":         {[]string{"y"}, kit.Approve, "→ file_write␛[2J done in 12ms"},
		"denied":          {[]string{"n"}, kit.Deny, "→ file_write␛[2J denied: a person said no"},
		"denied by esc":   {[]string{"esc"}, kit.Deny, "→ file_write␛[2J denied: a person said no"},
		"other keys":      {[]string{"x", "enter", "tab", "n"}, kit.Deny, "denied: a person said no"},
		"only one answer": {[]string{"n", "y", "y"}, kit.Deny, "denied: a person said no"},
	} {
		t.Run(name, func(t *testing.T) {
			b := script()
			b.Waits, b.Decided = waits(), make(chan bool)
			now := clock
			l := newLoop(t, b)
			l.p.now = func() time.Time { return now }
			l.press("go", "enter")
			l.shows("May file_write␛[2J run?  y allows · n or esc denies")
			got := l.pending()
			for _, want := range []string{"? file_write␛[2J waits for your word", `"path": "a.txt"`, `"text": "\u001b[31mred\nand more"`,
				"Strangers wrote part of what this turn has read: https://example.com/page␛[2J\n  (web)."} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			now = now.Add(lookFirst)
			l.press(c.keys...)
			l.idle()
			if got := b.Done(); !slices.Equal(got, []kit.Action{{Kind: c.want, RunID: "run_1", ApprovalID: "apr_1"}}) {
				t.Errorf("did %+v", got)
			}
			if got := l.pending(); !strings.Contains(got, c.line) || !strings.HasSuffix(got, "A short answer.") {
				t.Errorf("pending is %q", got)
			}
			if got := l.p.input.String(); got != "" {
				t.Errorf("the keys went into the input: %q", got)
			}
		})
	}
}

// TestTypingAheadApprovesNothing types while the question comes up, and pastes.
func TestTypingAheadApprovesNothing(t *testing.T) {
	b := script()
	b.Waits, b.Decided = waits(), make(chan bool)
	now := clock
	l := newLoop(t, b)
	l.p.now = func() time.Time { return now }
	l.press("go", "enter")
	l.shows("May file_write")
	l.press("y", "n", "enter")
	now = now.Add(lookFirst)
	l.p.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("y"), Paste: true})
	if got := b.Done(); len(got) != 0 || l.p.answering {
		t.Errorf("decided %+v", got)
	}
	b.Refuse = errors.New("it is too late")
	l.press("y")
	l.until("the refusal", func() bool { return strings.Contains(l.pending(), "the server did not take your word: it is too late") })
	l.shows("May file_write")
	l.press("ctrl+c")
	if l.p.Busy() {
		t.Error("ctrl+c does not stop the answer")
	}
}

func TestTheKeysFitANarrowScreen(t *testing.T) {
	b := script()
	b.Waits, b.Decided = waits(), make(chan bool)
	l := newLoop(t, b)
	l.p.Resize(40, 12)
	l.press("go", "enter")
	l.shows("May file_write␛[2J run?\n  y allows · n or esc denies\n")
	l.press("esc") // at once: a no is never too early
	l.idle()
}

func TestCallsThatRunAreLive(t *testing.T) {
	b := script()
	b.Gate = make(chan struct{})
	b.Before = []kit.Event{{Kind: kit.Tool, Call: kit.Call{ID: "a", Name: "search", Status: kit.CallRunning}},
		{Kind: kit.Tool, Call: kit.Call{ID: "b", Name: "fetch", Status: kit.CallRunning}},
		{Kind: kit.Tool, Call: kit.Call{ID: "a", Name: "search", Status: kit.CallFailed, Took: time.Second, Why: "no\nroute"}}}
	l := newLoop(t, b)
	l.press("go", "enter")
	gate(t, b, 3)
	l.shows("search running")
	l.shows("fetch running")
	gate(t, b, 1)
	l.until("the failure", func() bool { return strings.Contains(l.pending(), "→ search failed in 1s: no route") })
	if strings.Contains(l.view(), "search") {
		t.Errorf("what is over is live:\n%s", l.view())
	}
	close(b.Gate)
	l.idle()
}

func TestCommandsOfTheSession(t *testing.T) {
	b := script()
	l := newLoop(t, b)
	for _, c := range []string{"/regenerate", "/edit", "/reset", "/undo", "/fork"} {
		l.press(c, "enter")
		l.shows("there is no conversation yet")
	}
	l.press("one", "enter")
	l.idle()
	l.press("/regenerate", "enter")
	l.idle()
	l.press("/edit", "enter")
	l.shows("❯ one")
	l.press("s", "enter")
	l.idle()
	l.press("/edit", "enter", "esc")
	if got := l.p.input.String(); got != "" {
		t.Errorf("esc leaves %q", got)
	}
	l.press("two", "enter")
	l.idle()
	l.press("/edit three", "enter")
	l.idle()
	var got []kit.Ask
	for _, a := range b.Asks() {
		got = append(got, kit.Ask{Text: a.Text, Again: a.Again, Edit: a.Edit})
	}
	if want := []kit.Ask{{Text: "one"}, {Text: "one", Again: true}, {Text: "ones", Edit: true}, {Text: "two"}, {Text: "three", Edit: true}}; !slices.Equal(got, want) {
		t.Errorf("asked %+v", got)
	}
	l.press("/reset", "enter")
	l.idle()
	l.press("/regenerate", "enter")
	l.shows("there is no message to answer again")
	if got := l.pending(); !strings.Contains(got, "── reset ──") || !strings.Contains(got, "\nthe model no longer sees what is above; /undo takes that back") {
		t.Errorf("pending is %q", got)
	}
	l.press("/undo", "enter")
	l.idle()
	l.press("/fork", "enter")
	l.idle()
	if got := l.p.SessionID(); got != "ses_1_fork" {
		t.Errorf("the session is %q", got)
	}
	b.Refuse = errors.New("there is nothing to undo")
	l.press("/undo", "enter")
	l.idle()
	if got := l.pending(); !strings.Contains(got, "✗ there is nothing to undo\n  nothing was changed") {
		t.Errorf("pending is %q", got)
	}
}
