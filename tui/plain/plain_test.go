package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawless/clawless/tui/internal/scripttest"
	"github.com/clawless/clawless/tui/kit"
)

var clock = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func script() *scripttest.Backend {
	return &scripttest.Backend{Answer: "A **short** answer.\n\n- one\n- two\n", Answers: scripttest.Texts(), Piece: 3, FailAfter: -1,
		Names: []kit.Model{{ID: "mock/echo", Note: "repeats"}},
		List:  []kit.Session{{ID: "ses_a", Title: "First\x1b", Messages: 2, UpdatedAt: clock.Add(-time.Hour)}, {ID: "ses_b", Messages: 1}},
		Said:  map[string][]kit.Message{"ses_a": {{Role: "user", Text: "what?"}, {Role: "tool", Text: "hidden"}, {Role: "assistant", Text: "*That*."}}}}
}

// talk runs a conversation that is written down beforehand and returns what was printed after the greeting.
func talk(t *testing.T, b Backend, lines string, change func(*Options)) string {
	t.Helper()
	var out bytes.Buffer
	o := Options{Backend: b, In: strings.NewReader(lines), Out: &out, Echo: true, Now: func() time.Time { return clock }}
	if change != nil {
		change(&o)
	}
	if err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r < 0x20 && r != '\n' {
			t.Errorf("control %U in %q", r, out.String())
		}
	}
	_, rest, _ := strings.Cut(out.String(), "\n")
	return rest
}

func TestTranscript(t *testing.T) {
	b := script()
	got := talk(t, b, "hello\\\nthere\n\nlist evil things\n/quit\nnever\n", func(o *Options) { o.Farewell = func(id string) string { return "session " + id } })
	want := "You: hello\\\nthere\nAssistant: A short answer.\n\n- one\n- two\nYou: \nYou: list evil things\n"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "You: /quit\nsession ses_1\n") {
		t.Errorf("the transcript is\n%s", got)
	}
	if asks := b.Asks(); len(asks) != 2 || asks[0].Text != "hello\nthere" || asks[1].SessionID != "ses_1" {
		t.Errorf("asked %+v", asks)
	}
}

func TestCommands(t *testing.T) {
	b := script()
	got := talk(t, b, "/model\n/model mock/x\n/sessions\n/sessions 1\nmore\n/new\nagain\n/retry\n/what\n/help\n", nil)
	for _, want := range []string{"mock/echo repeats\n", "The model is now mock/x.\n", "1. First␛, 2 messages, 1 h ago\n", "2. ses_b, 1 message\n",
		"You: what?\nAssistant: That.\nYou: more\n", "nothing to ask again", "No command /what.", "/sessions 2 opens"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	asks := b.Asks()
	if len(asks) != 2 || asks[0].SessionID != "ses_a" || asks[0].Model != "mock/x" || asks[1].SessionID != "" {
		t.Errorf("asked %+v", asks)
	}
}

func TestCostsAndThinking(t *testing.T) {
	b := script()
	b.Answer, b.Cost, b.Receipt = "Yes.", kit.Cost{Told: true, Micros: 1215}, []string{"answered by mock/small: score\x1b", "cost $0.001215"}
	got := talk(t, b, "/receipt\n/model auto\none\n/receipt\n/thinking low\ntwo\n/thinking deep\n/thinking default\nthree\n/new\n/receipt\nfour\n", nil)
	for _, want := range []string{"You: /receipt\nThere is no answer with a receipt yet.\n", "Assistant: Yes.\nAnswered by mock/small, $0.001215, total $0.001215.\n",
		"You: /receipt\nanswered by mock/small: score␛\ncost $0.001215\n", "The model now thinks at the level low.\n", "$0.001215, total $0.00243.\n",
		"The levels are off, minimal, low, medium, high;", "total $0.003645.\n", "A new session begins.\nYou: /receipt\nThere is no answer", "four\nAssistant: Yes.\nAnswered by mock/small, $0.001215, total $0.001215.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	asks := b.Asks()
	if len(asks) != 4 || asks[0].Thinking != "" || asks[1].Thinking != "low" || asks[2].Thinking != "" || asks[0].Model != "auto" {
		t.Errorf("asked %+v", asks)
	}
	b.Cost = kit.Cost{Told: true, Unknown: true}
	got = talk(t, b, "one\n", func(o *Options) { o.SessionID, o.Thinking = "ses_a", "high" })
	if !strings.Contains(got, "Answered by mock/script, price unknown.\n") || b.Asks()[4].Thinking != "high" {
		t.Errorf("the transcript is\n%s", got)
	}
	b.Cost = kit.Cost{Told: true, Micros: 5}
	if got = talk(t, b, "one\n", func(o *Options) { o.SessionID = "ses_a" }); !strings.Contains(got, "$0.000005, total over $0.000005.\n") {
		t.Errorf("what was said before is free in\n%s", got)
	}
}

func TestFailureAndRetry(t *testing.T) {
	b := script()
	b.Err, b.FailAfter = scripttest.Failure{Text: "no route\x1b", Next: "try: clawless doctor"}, 2
	got := talk(t, b, "go\n/retry\n", nil)
	if strings.Count(got, "Assistant: A **sh\nError: no route␛\ntry: clawless doctor\n/retry asks again.\n") != 2 {
		t.Errorf("the transcript is\n%s", got)
	}
	if n := len(b.Asks()); n != 2 {
		t.Errorf("%d questions", n)
	}
	if got := talk(t, script(), "", func(o *Options) { o.SessionID = "gone" }); !strings.Contains(got, "Error: no such session\n") {
		t.Errorf("the transcript is\n%s", got)
	}
	if got := talk(t, script(), "", func(o *Options) { o.SessionID = "ses_a" }); !strings.HasPrefix(got, "You: what?\nAssistant: That.\n") {
		t.Errorf("the transcript is\n%s", got)
	}
}

// watched is an output that tells when it holds a text.
type watched struct {
	mu     sync.Mutex
	text   strings.Builder
	change chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.change <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

func (w *watched) until(t *testing.T, text string) {
	t.Helper()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for {
		w.mu.Lock()
		ok := strings.Contains(w.text.String(), text)
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-w.change:
		case <-late.C:
			t.Fatalf("%q does not come; there is %q", text, w.text.String())
		}
	}
}

func TestInterruptStopsTheAnswerThenLeaves(t *testing.T) {
	b := script()
	b.Answer, b.Piece, b.Gate = "First block.\n\nSecond block, which never ends.", 16, make(chan struct{})
	in, feed := io.Pipe()
	defer feed.Close()
	out := &watched{change: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{Backend: b, In: in, Out: out, Now: func() time.Time { return clock }})
	}()
	out.until(t, "You: ")
	if _, err := io.WriteString(feed, "go\n"); err != nil {
		t.Fatal(err)
	}
	b.Gate <- struct{}{} // the name of the run
	b.Gate <- struct{}{}
	b.Gate <- struct{}{}
	out.until(t, "Assistant: First block.")
	interrupt(t)
	out.until(t, "[stopped]")
	if !slices.Equal(b.Cancelled(), []string{"run_1"}) {
		t.Errorf("cancelled %v", b.Cancelled())
	}
	out.until(t, "[stopped]\nYou: ")
	interrupt(t)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("an interrupt at the prompt does not leave")
	}
}

func interrupt(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe closed") }

func TestEndsThatAreErrors(t *testing.T) {
	err := Run(t.Context(), Options{Backend: script(), In: strings.NewReader("hi\n"), Out: broken{}, Now: func() time.Time { return clock }})
	if err == nil || !strings.Contains(err.Error(), "output: pipe closed") {
		t.Errorf("an output that is closed gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, _ := io.Pipe()
	err = Run(ctx, Options{Backend: script(), In: in, Out: io.Discard, Now: func() time.Time { return clock }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an end of the context gives %v", err)
	}
}
