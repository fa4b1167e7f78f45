// Package widgettest drives the widget with a real browser on a page that is hostile to it, for
// the tests of the widget and of the servers behind it.
package widgettest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a condition may take on a busy machine before the test fails.
const patience = 30 * time.Second

// Tab is one tab of a headless browser with its own storage. It ends with its test.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string
	problems []string
}

// Chromium starts a browser that ends with the test. Without one it skips, unless
// CLAWLESS_TEST_CHROMIUM names the program, which must then work.
func Chromium(t testing.TB) context.Context {
	t.Helper()
	program := os.Getenv("CLAWLESS_TEST_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program != "" {
			break
		}
		program, _ = exec.LookPath(name) // "" goes on to the next
	}
	if program == "" {
		t.Skip("NO BROWSER: the widget was not tested in one; install chromium or set CLAWLESS_TEST_CHROMIUM to its path")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience)}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars", "mute-audio",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// NewTab opens a tab with empty storage in the browser of ctx.
func NewTab(t testing.TB, ctx context.Context, width, height int64) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	tab := &Tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.watch); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	send(tab, network.Enable, network.EnableParams{})
	send(tab, runtime.Enable, cdp.Empty{})
	tab.Do(chromedp.EmulateViewport(width, height))
	return tab
}

func (b *Tab) watch(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.Method+" "+e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "exception: "+e.ExceptionDetails.Text)
	}
}

// run carries an action out and fails the test when it does not succeed in time.
func run[T any](b *Tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return value
}

// send sends one command of the protocol.
func send[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return run(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

// Do carries browser actions out and fails the test when one does not succeed in time.
func (b *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(actions...))
}

// Open loads an address.
func (b *Tab) Open(address string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(address))
}

// BeforeLoad has a script run in every page that is opened from now on, before its own.
func (b *Tab) BeforeLoad(script string) {
	b.t.Helper()
	send(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// prelude gives every script of a test the widget's shadow root as root and a shorthand $.
const prelude = `const root = document.querySelector("clawless-chat")?.shadowRoot, $ = (s) => root?.querySelector(s), $$ = (s) => [...(root?.querySelectorAll(s) ?? [])];`

// Eval evaluates an expression, in which root is the widget's shadow root and $ finds in it.
func Eval[T any](b *Tab, expression string) T {
	b.t.Helper()
	script := fmt.Sprintf("(async () => { %s return (%s); })()", prelude, expression)
	return run(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Wait returns when the expression is true.
func (b *Tab) Wait(expression string) {
	b.t.Helper()
	script := fmt.Sprintf(`(async () => {
		for (const end = Date.now() + %d; ; await new Promise((next) => setTimeout(next, 15))) {
			%s
			if (%s) return "";
			if (Date.now() > end) return "the widget shows: " + (root?.querySelector(".log")?.innerText ?? "nothing");
		}
	})()`, patience.Milliseconds()*9/10, prelude, expression)
	if failure := run(b, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise)); failure != "" {
		b.t.Fatalf("waited in vain for %s; %s", expression, failure)
	}
}

// Click clicks the middle of the element that the selector finds in the widget, as a mouse would.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	b.Wait(fmt.Sprintf("$(%q)?.getBoundingClientRect().width > 0", selector))
	at := Eval[[]float64](b, fmt.Sprintf("(() => { const r = $(%q).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()", selector))
	b.Do(chromedp.MouseClickXY(at[0], at[1]))
}

// Press types text, or a key of chromedp's kb package.
func (b *Tab) Press(keys string) {
	b.t.Helper()
	b.Do(chromedp.KeyEvent(keys))
}

// Enter presses the Enter key, as one event whose effect the page may prevent.
func (b *Tab) Enter() {
	b.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
	send(b, input.DispatchKeyEvent, key)
	key.Type, key.Text = input.DispatchKeyEventTypeKeyUp, ""
	send(b, input.DispatchKeyEvent, key)
}

// SetOffline cuts or restores the tab's network.
func (b *Tab) SetOffline(offline bool) {
	b.t.Helper()
	rule := &network.Conditions{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}
	send(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{rule}})
	send(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
}

// Prefer emulates a person's settings, such as Prefer("prefers-color-scheme", "dark").
func (b *Tab) Prefer(feature, value string) {
	b.t.Helper()
	send(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: feature, Value: value}}})
}

// Screenshot saves what the tab shows as a PNG into the folder of CLAWLESS_TEST_SCREENSHOTS, or
// into one of the test, and returns its path.
func (b *Tab) Screenshot(name string) string {
	b.t.Helper()
	folder := os.Getenv("CLAWLESS_TEST_SCREENSHOTS")
	if folder == "" {
		folder = b.t.TempDir()
	}
	b.Wait(`!root || root.getAnimations().every((a) => a.effect.getTiming().iterations === Infinity)`)
	png := run(b, chromedp.CaptureScreenshot())
	path := filepath.Join(folder, name+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// CheckClean fails the test if the page saw a script error or a violation of its policies, or
// asked any origin but the ones given.
func (b *Tab) CheckClean(origins ...string) {
	b.t.Helper()
	violations := Eval[[]string](b, "window.violations")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range slices.Concat(b.problems, violations) {
		b.t.Error(problem)
	}
	for _, request := range b.requests {
		if err := checkOrigin(request, origins); err != nil {
			b.t.Error(err)
		}
	}
}

func checkOrigin(request string, origins []string) error {
	_, address, _ := strings.Cut(request, " ")
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("request %s: %w", request, err)
	}
	if slices.Contains(origins, u.Scheme+"://"+u.Host) || u.Scheme == "about" {
		return nil
	}
	return errors.New("third-party request: " + request)
}
