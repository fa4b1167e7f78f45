package widget_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/clawless/clawless/widget/widgettest"
)

const showpiece = `Two ways to resize an image, **fastest first**:

1. Decode with a *limit*, so that no picture can fill the memory.
2. Scale down in ` + "`linear`" + ` light.

| Library | Time | Notes |
|:--------|-----:|-------|
| vips    | 12 ms | needs [libvips](https://www.libvips.org/) and a C compiler on every machine |
| pure Go | 41 ms | no dependencies |

` + "```go" + `
func Thumbnail(src image.Image, width int) image.Image {
	b := src.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, width, b.Dy()*width/b.Dx()))
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, b, draw.Over, nil)
	return dst
}
` + "```" + `

> Measure on your own pictures before you choose.

Which one would you like to `

// pieces cuts a text as a model would, into runs of a few bytes.
func pieces(text string) []string {
	var all []string
	for len(text) > 0 {
		n := min(4, len(text))
		for n < len(text) && text[n]&0xc0 == 0x80 {
			n++
		}
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

func TestConverse(t *testing.T) {
	browser := widgettest.Chromium(t)
	page := widgettest.NewPage(t)
	widgettest.Converse(t, browser, page, newScripted(t, page.Origin).target())
}

// bench is one tab on a hostile page with the widget of a scripted server.
type bench struct {
	*widgettest.Tab
	server *scripted
	page   *widgettest.Page
}

func newBench(t *testing.T, browser context.Context, width, height int64, gentle bool, attributes ...string) bench {
	t.Helper()
	page := widgettest.NewPage(t)
	server := newScripted(t, page.Origin)
	page.Embed(server.target(), gentle, attributes...)
	tab := widgettest.NewTab(t, browser, width, height)
	tab.Open(page.Origin)
	return bench{tab, server, page}
}

func (b bench) checkClean() { b.CheckClean(b.page.Origin, b.server.server.URL) }

func TestTurns(t *testing.T) {
	browser := widgettest.Chromium(t)
	t.Run("a cut stream is read on to the same text", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		text := strings.Repeat("Grüße, 日本語 and 🎉 for everybody. ", 20)
		b.server.on("cut me", reply{pieces: pieces(text), cuts: []int{3, 4, 40, 101}})
		b.OpenWidget()
		b.Send("cut me")
		if got := b.WaitForAnswer("done"); got != strings.TrimSpace(text) {
			t.Errorf("the text is\n%q, not\n%q", got, text)
		}
		if n := b.server.sent("cut me"); n != 1 {
			t.Errorf("%d turns for one message", n)
		}
		b.checkClean()
	})

	t.Run("an expired token is renewed", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.server.on("hi", reply{pieces: []string{"welcome back"}, expire: true})
		b.OpenWidget()
		b.Send("hi")
		if got := b.WaitForAnswer("done"); got != "welcome back" {
			t.Errorf("the answer is %q", got)
		}
	})

}

func TestFailures(t *testing.T) {
	browser := widgettest.Chromium(t)
	t.Run("a failing server is tried twice, then says so and can be tried again", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.server.on("fail", reply{pieces: []string{"there you are"}, errors: []int{500, 500}})
		b.OpenWidget()
		b.Send("fail")
		b.WaitForAnswer("failed")
		b.Wait(`$(".error").innerText.includes("Something went wrong") && $(".error").innerText.includes("req_test")`)
		b.Wait(`$("[aria-live=polite]").textContent.includes("Something went wrong")`)
		b.Click(".retry")
		if got := b.WaitForAnswer("done"); got != "there you are" {
			t.Errorf("the answer is %q", got)
		}
		if all := b.Transcript(); len(all) != 2 {
			t.Errorf("after trying again the conversation is %q", all)
		}
	})

	t.Run("Retry-After is obeyed", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.server.on("too fast", reply{pieces: []string{"now"}, errors: []int{429}, retry: "2"})
		b.OpenWidget()
		b.Send("too fast")
		b.WaitForAnswer("failed")
		b.Wait(`$(".retry").disabled && /in [12] s/.test($(".retry").innerText)`)
		b.Wait(`!$(".retry").disabled`)
		b.Click(".retry")
		b.WaitForAnswer("done")
	})

	t.Run("an answer that fails in its middle keeps its text", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.server.on("break", reply{pieces: []string{"half an ", "answer"}, fails: "provider_error"})
		b.OpenWidget()
		b.Send("break")
		if got := b.WaitForAnswer("failed"); got != "half an answer" {
			t.Errorf("the text is %q", got)
		}
		b.Wait(`$(".error").innerText.includes("not available")`)
	})
}

func TestStopAndReload(t *testing.T) {
	browser := widgettest.Chromium(t)
	t.Run("stop ends the run and keeps the text", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.server.on("long", reply{pieces: []string{"the beginning", " and never this"}, hold: make(chan struct{})})
		b.OpenWidget()
		b.Send("long")
		b.Wait(`$$(".assistant .body").at(-1)?.innerText === "the beginning"`)
		b.Click(".send")
		if got := b.WaitForAnswer("stopped"); got != "the beginning" {
			t.Errorf("the text is %q", got)
		}
		b.Send("again")
		b.WaitForAnswer("done")
		b.checkClean()
	})

	t.Run("an answer goes on after a reload", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		hold := make(chan struct{})
		b.server.on("slow", reply{pieces: []string{"one ", "two ", "three"}, hold: hold})
		b.OpenWidget()
		b.Send("slow")
		b.Wait(`$$(".assistant .body").at(-1)?.innerText.trim() === "one two"`)
		b.Open(b.page.Origin)
		b.OpenWidget()
		b.Wait(`$$(".assistant .body").at(-1)?.innerText.trim() === "one two"`)
		close(hold)
		if got := b.WaitForAnswer("done"); got != "one two three" {
			t.Errorf("the text is %q", got)
		}
		if all := b.Transcript(); len(all) != 2 {
			t.Errorf("the conversation is %q", all)
		}
		b.checkClean()
	})

}

func TestOfflineAndNew(t *testing.T) {
	browser := widgettest.Chromium(t)
	t.Run("messages written offline are sent once, in order, after a reload too", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.OpenWidget()
		b.Send("online")
		b.WaitForAnswer("done")
		b.SetOffline(true)
		b.Wait(`$(".notice").innerText.includes("offline")`)
		b.Send("first")
		b.Send("second")
		b.Wait(`$$(".user")[1].innerText.includes("Waiting")`)
		b.SetOffline(false)
		b.Wait(`$$(".assistant").length === 3 && $$(".assistant").at(-1).dataset.state === "done" && !$(".notice").innerText`)
		want := []string{"online", "You said: online", "first", "You said: first", "second", "You said: second"}
		b.Open(b.page.Origin)
		b.OpenWidget()
		b.Wait(`$$(".row").length === 6`)
		if got := b.Transcript(); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("the conversation is %q", got)
		}
	})

	t.Run("a new conversation is empty, also after a reload", func(t *testing.T) {
		b := newBench(t, browser, 1280, 800, false)
		b.OpenWidget()
		b.Send("old")
		b.WaitForAnswer("done")
		b.Click(`.icon[aria-label="New conversation"]`)
		b.Wait(`$$(".row").length === 0`)
		b.Open(b.page.Origin)
		b.OpenWidget()
		b.Wait(`$$(".row").length === 0`)
		b.Send("new")
		b.WaitForAnswer("done")
	})
}

func TestPageAPI(t *testing.T) {
	b := newBench(t, widgettest.Chromium(t), 1280, 800, false, "data-launcher", "none", "data-title", "Ask us", "data-strings", `{"send":"Go"}`)
	b.Wait(`root && "open" in window.Clawless`)
	widgettest.Eval[bool](b.Tab, `(window.heard = [], ["open", "close", "message", "new", "error"].forEach((e) => Clawless.on(e, (d) => heard.push([e, d?.role ?? ""].join(" ").trim()))), true)`)
	widgettest.Eval[bool](b.Tab, `(Clawless.push(["send", "from the page"]), Clawless.open(), true)`)
	b.WaitForAnswer("done")
	b.Wait(`heard.join() === "message user,open,message assistant"`)
	b.Wait(`$("h2").innerText === "Ask us" && $(".send").ariaLabel === "Go" && !$(".launcher").getBoundingClientRect().width`)
	widgettest.Eval[bool](b.Tab, `(Clawless.toggle(), true)`)
	b.Wait(`$(".panel").hidden && heard.at(-1) === "close"`)
	widgettest.Eval[bool](b.Tab, `(Clawless.destroy(), true)`)
	b.Wait(`!document.querySelector("clawless-chat") && !("Clawless" in window)`)
	b.checkClean()
}

func TestDemoPage(t *testing.T) {
	s := newScripted(t, "")
	s.origin = s.server.URL // the page is the server's own
	b := widgettest.NewTab(t, widgettest.Chromium(t), 1280, 800)
	b.BeforeLoad(`window.violations = []; document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI));`)
	b.Open(s.server.URL + "/widget/demo?key=" + publishableKey + "&color=%230f766e&position=left")
	b.Wait(`root`)
	widgettest.Eval[bool](b, `(document.querySelector("[data-call=open]").click(), document.querySelector("[data-call=send]").click(), true)`)
	if got := b.WaitForAnswer("done"); got != "You said: What can you do?" {
		t.Errorf("the answer is %q", got)
	}
	b.Wait(`document.querySelector("#events").innerText.includes('message {"role":"assistant"')`)
	want := `<script async src="` + s.server.URL + `/widget/v1/clawless.js" data-key="` + publishableKey + `" data-color="#0f766e" data-position="left"></script>`
	if got := widgettest.Eval[string](b, `document.querySelector("#snippet").textContent`); got != want {
		t.Errorf("the snippet is %s", got)
	}
	b.CheckClean(s.server.URL)
}

func TestOldLoaderFindsTheNewApp(t *testing.T) {
	b := newBench(t, widgettest.Chromium(t), 1280, 800, false)
	b.server.loseChunk()
	b.Open(b.page.Origin)
	b.OpenWidget()
	b.Send("hello")
	b.WaitForAnswer("done")
}

// screen is one look of the widget: how the page embeds it, and what to do before looking.
type screen struct {
	width, height int64
	attributes    []string
	prefer        string // name and value of a person's setting
	prepare       func(b bench)
}

func showAnswer(b bench) {
	hold := make(chan struct{}) // never released: the answer is looked at while it streams
	b.server.on("How do I make thumbnails?", reply{pieces: append(pieces(showpiece), "try?"), hold: hold})
	b.OpenWidget()
	b.Send("How do I make thumbnails?")
	b.Wait(`$$(".assistant .body").at(-1)?.innerText.includes("Which one would you like to")`)
}

var screens = map[string]screen{
	"closed":        {prepare: func(b bench) { b.Wait(`$(".launcher")`) }},
	"open":          {prepare: func(b bench) { b.OpenWidget() }},
	"streaming":     {prepare: showAnswer},
	"streaming-end": {prepare: func(b bench) { showAnswer(b); b.Click(".jump") }},
	"dark":          {prepare: showAnswer, attributes: []string{"data-color", "#0f9d76"}, prefer: "prefers-color-scheme dark"},
	"forced-colors": {prepare: showAnswer, prefer: "forced-colors active"},
	"mobile":        {prepare: showAnswer, width: 390, height: 844},
	"mobile-left":   {prepare: showAnswer, width: 390, height: 844, attributes: []string{"data-position", "left"}},
	"zoomed":        {prepare: showAnswer, width: 320, height: 256}, // 1280 x 1024 at 400 %
	"rtl": {attributes: []string{"dir", "rtl", "data-color", "#ffd23f"}, prepare: func(b bench) {
		b.server.on("مرحبا", reply{pieces: []string{"أهلا وسهلا! كيف يمكنني **مساعدتك** اليوم؟\n\n- واحد\n- اثنان"}})
		b.OpenWidget()
		b.Send("مرحبا")
		b.WaitForAnswer("done")
	}},
	"error": {prepare: func(b bench) {
		b.server.on("Are you there?", reply{errors: []int{503, 503}})
		b.OpenWidget()
		b.Send("Hello")
		b.WaitForAnswer("done")
		b.Send("Are you there?")
		b.WaitForAnswer("failed")
		b.SetOffline(true)
		b.Wait(`$(".notice").innerText`)
	}},
}

func TestScreens(t *testing.T) {
	browser := widgettest.Chromium(t)
	for name, s := range screens {
		t.Run(name, func(t *testing.T) {
			if s.width == 0 {
				s.width, s.height = 1280, 800
			}
			b := newBench(t, browser, s.width, s.height, true, s.attributes...)
			if feature, value, ok := strings.Cut(s.prefer, " "); ok {
				b.Prefer(feature, value)
			}
			s.prepare(b)
			b.Screenshot(name)
			checkAxe(t, b)
			if s.width < 480 {
				b.Wait(`$(".panel").getBoundingClientRect().width === innerWidth && getComputedStyle($("textarea")).fontSize === "16px" && !$(".launcher").getBoundingClientRect().width`)
			}
			b.checkClean()
		})
	}
}

// checkAxe runs the accessibility rules of axe-core over the page, when npm has installed it.
func checkAxe(t *testing.T, b bench) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Log("NOT CHECKED for accessibility: run npm ci in the widget folder to have axe-core")
		return
	}
	const check = `(async () => {
		const found = await axe.run(document.querySelector("clawless-chat"), { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
		if (found.passes.length < 5) return ["axe-core looked at next to nothing"];
		return found.violations.flatMap((v) => v.nodes.map((n) => v.id + " (" + v.impact + "): " + n.html.slice(0, 120) + " " + n.failureSummary));
	})()`
	widgettest.Eval[bool](b.Tab, "(() => { "+string(script)+"; window.axe ??= module.exports; return true; })()")
	for _, violation := range widgettest.Eval[[]string](b.Tab, check) {
		t.Error(violation)
	}
}

func TestNarrowScreenKeepsFocusInside(t *testing.T) {
	b := newBench(t, widgettest.Chromium(t), 390, 844, false)
	b.OpenWidget()
	b.Wait(`$(".panel").ariaModal === "true"`)
	for range 8 {
		b.Press(kb.Tab)
		if where := b.FocusIn(); where == "" || where == "launcher" {
			t.Fatalf("Tab leaves the panel for %q", where)
		}
	}
}
