package widget_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/clawless/clawless/widget/widgettest"
)

// hostile looks at the painted answers and pokes everything in them. It returns what is wrong.
const hostile = `(() => {
	const wrong = [];
	const body = $$(".assistant .body").at(-1);
	for (const e of body.querySelectorAll("*")) {
		if (!/^(P|H3|HR|BLOCKQUOTE|UL|OL|LI|BR|STRONG|EM|DEL|CODE|PRE|DIV|SPAN|BUTTON|TABLE|THEAD|TBODY|TR|TH|TD|A)$/.test(e.tagName)) wrong.push("element " + e.tagName);
		for (const a of e.attributes) if (/^on|style|src|srcset|action|ping|is|id|name/.test(a.name)) wrong.push("attribute " + a.name);
		if (e.tagName === "A" && !/^(https?|mailto):/.test(e.href)) wrong.push("link " + e.href);
		if (e.tagName === "A" && e.rel !== "noopener noreferrer nofollow") wrong.push("rel " + e.rel);
		for (const type of ["mouseover", "pointermove", "focus", "load", "error", "toggle", "animationstart", "submit"]) e.dispatchEvent(new Event(type));
	}
	if (document.body.childElementCount !== 3) wrong.push("the page has " + document.body.childElementCount + " elements");
	if (getComputedStyle(document.querySelector("main")).display === "none") wrong.push("the page is restyled");
	if ({}.polluted) wrong.push("a prototype is polluted");
	return [...new Set([...wrong, ...window.alerts])];
})()`

// TestHostileAnswers lets the assistant say everything it should not, in a real browser: streamed
// per byte and restored from the history.
func TestHostileAnswers(t *testing.T) {
	text, err := os.ReadFile("testdata/payloads.json")
	if err != nil {
		t.Fatal(err)
	}
	var payloads []struct{ Text string }
	if err := json.Unmarshal(text, &payloads); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range payloads {
		all = append(all, p.Text)
	}
	b := newBench(t, widgettest.Chromium(t), 1280, 800, true)
	watch := func() {
		b.Wait(`root`)
		widgettest.Eval[bool](b.Tab, `(window.alerts = [], ["alert", "confirm", "prompt", "open"].forEach((f) => (window[f] = (x) => alerts.push(f + " was called: " + x))), true)`)
	}
	watch()
	b.server.on("be bad", reply{pieces: strings.Split(strings.Join(all, "\n\n"), "")})
	b.OpenWidget()
	b.Send("be bad")
	b.WaitForAnswer("done")
	for _, wrong := range widgettest.Eval[[]string](b.Tab, hostile) {
		t.Error("streamed: " + wrong)
	}
	streamed := widgettest.Eval[string](b.Tab, `$$(".assistant .body").at(-1).innerHTML`)
	if len(streamed) < 5000 {
		t.Fatalf("only %d characters were painted", len(streamed))
	}
	b.checkClean()

	b.Open(b.page.Origin)
	watch()
	b.OpenWidget()
	b.Wait(`$$(".row").length === 2`)
	for _, wrong := range widgettest.Eval[[]string](b.Tab, hostile) {
		t.Error("restored: " + wrong)
	}
	if restored := widgettest.Eval[string](b.Tab, `$$(".assistant .body").at(-1).innerHTML`); restored != streamed {
		t.Error("the restored answer differs from the streamed one")
	}
	b.checkClean()
}

// TestHostileHostPage compares the widget on a page that unsets every style with one on a page
// that does not: the page's styles change no pixel of it.
func TestHostileHostPage(t *testing.T) {
	browser := widgettest.Chromium(t)
	const geometry = `[".launcher", ".panel", "h2", ".log", ".user .body", ".assistant .body", "textarea", ".send"].map((s) => {
		const e = $(s), r = e.getBoundingClientRect(), c = getComputedStyle(e);
		return [s, r.x, r.y, r.width, r.height, c.color, c.backgroundColor, c.fontSize, c.fontWeight, c.display, c.opacity, c.transform].join(" ");
	}).concat(getComputedStyle(root.host).display, getComputedStyle(root.host).opacity)`
	var seen [2][]string
	for i, gentle := range []bool{true, false} {
		b := newBench(t, browser, 1280, 800, gentle)
		b.Prefer("prefers-reduced-motion", "reduce")
		b.OpenWidget()
		b.Send("hello")
		b.WaitForAnswer("done")
		seen[i] = widgettest.Eval[[]string](b.Tab, geometry)
		b.checkClean()
	}
	for i := range seen[0] {
		if seen[0][i] != seen[1][i] {
			t.Errorf("on a hostile page\n%s\nbecomes\n%s", seen[0][i], seen[1][i])
		}
	}
}

// TestBlockedStorage has a page whose storage throws on every access.
func TestBlockedStorage(t *testing.T) {
	b := newBench(t, widgettest.Chromium(t), 1280, 800, false)
	b.BeforeLoad(`for (const area of ["localStorage", "sessionStorage"]) Object.defineProperty(window, area, { get() { throw new DOMException("denied", "SecurityError"); } });`)
	b.Open(b.page.Origin)
	b.OpenWidget()
	for _, text := range []string{"one", "two"} {
		b.Send(text)
		b.WaitForAnswer("done")
	}
	if got := strings.Join(b.Transcript(), "|"); got != "one|You said: one|two|You said: two" {
		t.Errorf("the conversation is %q", got)
	}
	b.checkClean()
}
