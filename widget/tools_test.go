package widget_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/clawless/clawless/widget/widgettest"
)

// usesTools is an answer for which tools are used, the last of which waits.
var usesTools = reply{
	tools: []string{
		`{"id":"a","name":"http_fetch","status":"running","source":"builtin"}`, `{"id":"a","name":"http_fetch","status":"done","source":"builtin","ms":1840}`,
		`{"id":"b","name":"calculate","status":"failed","source":"builtin","ms":1,"why":"at character 4: <b>x</b> is not a number"}`,
		`{"id":"c","name":"file_write","status":"waiting","source":"builtin","approval_id":"apr_1","arguments":{"path":"notes/boots.txt","content":"<img src=x onerror=alert(1)>"},` +
			`"taint":[{"kind":"web","source":"https://example.com/care/leather?<b>"}]}`,
	},
	pieces: []string{"I have written ", "down how to care for your boots."},
}

func askForTools(b bench) {
	b.server.on("How do I care for my boots?", usesTools)
	b.OpenWidget()
	b.Send("How do I care for my boots?")
	b.Wait(`$(".ask")`)
}

func TestToolsOnTheScreen(t *testing.T) {
	browser := widgettest.Chromium(t)
	for name, s := range map[string]struct {
		screen
		after func(b bench)
	}{
		"ask":        {},
		"ask-dark":   {screen: screen{prefer: "prefers-color-scheme dark", attributes: []string{"data-color", "#0f9d76"}}},
		"ask-mobile": {screen: screen{width: 390, height: 844}},
		"ask-narrow": {screen: screen{width: 320, height: 480}},
		"ask-forced": {screen: screen{prefer: "forced-colors active"}},
		"tools-done": {after: func(b bench) { b.Click(".allow"); b.WaitForAnswer("done") }},
	} {
		t.Run(name, func(t *testing.T) {
			if s.width == 0 {
				s.width, s.height = 1280, 800
			}
			b := newBench(t, browser, s.width, s.height, true, s.attributes...)
			if feature, value, ok := strings.Cut(s.prefer, " "); ok {
				b.Prefer(feature, value)
			}
			askForTools(b)
			if s.after != nil {
				s.after(b)
			}
			if s.after == nil {
				b.Wait(`$(".ask .retry").getBoundingClientRect().bottom <= $(".log").getBoundingClientRect().bottom`)
			}
			b.Screenshot(name)
			checkAxe(t, b)
			b.checkClean()
		})
	}
}

// TestApprovingByKeyboard decides with the keys alone, on a hostile page.
func TestApprovingByKeyboard(t *testing.T) {
	browser := widgettest.Chromium(t)
	for name, c := range map[string]struct {
		tabs int
		want string
	}{"allow": {2, "Used file_write · 12 ms"}, "deny": {3, "file_write was not used: a person said no"}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, browser, 1280, 800, false)
			askForTools(b)
			b.Wait(`root.activeElement?.className === "ask"`)
			b.Wait(`$("[aria-live=polite]").textContent.includes("May the assistant use file_write?")`)
			for range c.tabs { // the arguments, which scroll, then the buttons
				b.Press(kb.Tab)
			}
			b.Enter()
			b.WaitForAnswer("done")
			lines := widgettest.Eval[[]string](b.Tab, `$$(".tool").map((x) => x.innerText)`)
			if len(lines) != 3 || lines[0] != "Used http_fetch · 1.8 s" || lines[1] != "calculate failed · 1 ms: at character 4: <b>x</b> is not a number" || lines[2] != c.want {
				t.Errorf("the lines are %q", lines)
			}
			if got := b.FocusIn(); got != "textarea" {
				t.Errorf("the focus is in %q", got)
			}
			b.checkClean()
		})
	}
}

// TestTryingAgainAsksOnce has a failed run answered again.
func TestTryingAgainAsksOnce(t *testing.T) {
	b := newBench(t, widgettest.Chromium(t), 1280, 800, false)
	b.server.on("hi", reply{pieces: []string{"half"}, fails: "provider_error"})
	b.OpenWidget()
	b.Send("hi")
	b.WaitForAnswer("failed")
	b.server.on("hi", reply{pieces: []string{"whole"}})
	b.Click(".retry")
	if got := b.WaitForAnswer("done"); got != "whole" || b.server.sent("hi") != 1 {
		t.Errorf("the answer is %q, and the message was sent %d times", got, b.server.sent("hi"))
	}
	b.checkClean()
}
