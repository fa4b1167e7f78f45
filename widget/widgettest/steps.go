package widgettest

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// Launcher is the selector of the button that opens the widget.
const Launcher = ".launcher"

// OpenWidget opens the panel with the mouse and waits for its conversation to be restored.
func (b *Tab) OpenWidget() {
	b.t.Helper()
	b.Click(Launcher)
	b.Wait(`$(".panel") && !$(".panel").hidden && window.isReady`)
}

// Send types a message into the composer and presses Enter.
func (b *Tab) Send(text string) {
	b.t.Helper()
	b.Focus("textarea")
	b.Press(text)
	b.Enter()
	b.Wait(fmt.Sprintf(`$$(".user .body").at(-1)?.innerText === %q && $("textarea").value === ""`, text))
}

// Focus moves the focus to an element of the widget.
func (b *Tab) Focus(selector string) {
	b.t.Helper()
	Eval[bool](b, fmt.Sprintf(`($(%q).focus(), true)`, selector))
}

// WaitForAnswer waits until the newest answer has the state, such as done, stopped or failed, and returns its text.
func (b *Tab) WaitForAnswer(state string) string {
	b.t.Helper()
	b.Wait(fmt.Sprintf(`$$(".assistant").at(-1)?.dataset.state === %q`, state))
	return Eval[string](b, `$$(".assistant .body").at(-1).innerText`)
}

// Transcript returns the texts of all messages, oldest first.
func (b *Tab) Transcript() []string {
	b.t.Helper()
	return Eval[[]string](b, `$$(".row .body").map((x) => x.innerText)`)
}

// FocusIn returns a name of what has the focus inside the widget: its class, else its tag.
func (b *Tab) FocusIn() string {
	b.t.Helper()
	return Eval[string](b, `root.activeElement?.className || root.activeElement?.localName || ""`)
}

// Converse has one conversation with the target's widget, by keyboard alone, and checks what any
// server must give: an answer, the history after a reload, focus where it belongs, no violation
// of the page's policies and no request to anybody else. The target's widget allows p.Origin.
func Converse(t testing.TB, browser context.Context, p *Page, target Target) {
	t.Helper()
	p.Embed(target, false)
	b := NewTab(t, browser, 1280, 800)
	b.Open(p.Origin)
	b.Wait(`$(".launcher")`)
	b.Focus(Launcher)
	b.Enter()
	b.Wait(`$(".panel") && !$(".panel").hidden && window.isReady`)
	if got := b.FocusIn(); got != "textarea" {
		t.Errorf("after opening the focus is in %q, not in the textarea", got)
	}
	b.Press("Hello there")
	b.Enter()
	answer := b.WaitForAnswer("done")
	if answer == "" {
		t.Error("the answer is empty")
	}
	b.Wait(`$("[aria-live=polite]").textContent.length > 5`)
	before := b.Transcript()
	b.Press(kb.Escape)
	b.Wait(`$(".panel").hidden`)
	if got := b.FocusIn(); got != "launcher" {
		t.Errorf("after Esc the focus is in %q, not in the launcher", got)
	}
	b.CheckClean(p.Origin, target.Server)

	b.Open(p.Origin)
	b.OpenWidget()
	b.Wait(fmt.Sprintf(`$$(".row").length === %d`, len(before)))
	if after := b.Transcript(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after a reload the conversation is\n%q, not\n%q", after, before)
	}
	globals := Eval[[]string](b, `Object.getOwnPropertyNames(window).filter((x) => !globals.has(x) && !["globals", "isReady"].includes(x))`)
	if fmt.Sprint(globals) != "[Clawless]" {
		t.Errorf("the widget made the globals %v", globals)
	}
	added := Eval[int](b, `[...document.querySelectorAll("body > *")].filter((x) => !["MAIN", "SCRIPT"].includes(x.tagName)).length`)
	if added != 1 {
		t.Errorf("the widget added %d elements to the page", added)
	}
	b.CheckClean(p.Origin, target.Server)
}
