package server

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestCutAtEveryByte: a recorded stream that breaks off after any of its bytes, by a torn connection or a clean end of the body, never becomes a clean end of ours unless the
// answer was complete. Before the first token the next try answers, and where there is none the status tells; after it the true text so far is followed by an error event.
// Every answer that was shown at all is billed once, and no other.
func TestCutAtEveryByte(t *testing.T) {
	raw, err := os.ReadFile("llm/openai/testdata/chat.stream.sse")
	if err != nil {
		t.Fatal(err)
	}
	r := lite(t, nil)
	c := r.tenant("cuts", nil)
	wholes := r.up.on("whole", func(c *upcall) { c.write(string(raw)) })
	all := r.try("stream", c, ask(wholes, "hi", nil))
	if !all.done || len(all.said) < 50 {
		t.Fatalf("%d %s", all.status, all.body)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	next := make(chan int)
	for range 96 {
		wg.Go(func() {
			for n := range next {
				how := r.cutAt(c, raw, n, all.said)
				mu.Lock()
				seen[how]++
				mu.Unlock()
			}
		})
	}
	for n := range len(raw) + 1 {
		next <- n
	}
	close(next)
	wg.Wait()
	if seen["whole"] < 1 || seen["retried"] < 100 || seen["refused"] < 10 || seen["broken"] < 1000 {
		t.Errorf("of %d cuts: %v", len(raw)+1, seen)
	}
	if got := r.ledger(c); len(got) != 1+seen["whole"]+seen["retried"]+seen["broken"] {
		t.Errorf("%d lines of the ledger: %v", len(got), seen)
	}
	r.nothingHeld(c)
}

// cutAt asks for an answer whose stream breaks off after n bytes, and says what became of it. One cut in sixteen lasts; after the others the next try gives the whole.
func (r *rig) cutAt(c customer, raw []byte, n int, truth string) string {
	lasting := n%16 == 0
	tear := func(c *upcall) {
		c.write(string(raw[:n]))
		if n%2 == 1 {
			panic(http.ErrAbortHandler)
		}
	}
	script := tear
	if !lasting {
		script = inTurn(tear, func(c *upcall) { c.write(string(raw)) })
	}
	model := r.up.on(fmt.Sprint("cut", n), script)
	o := r.try("stream", c, ask(model, "hi", nil))
	calls := len(r.up.calls(model))
	complete := o.done && o.said == truth && o.finish == "stop" && o.failed == nil
	switch {
	case complete && calls == 1:
		return "whole"
	case complete && !lasting && calls == 2:
		return "retried"
	case o.status == 200 && !o.done && calls == 1 && o.failed != nil && o.failed.Code == "stream_broken" && o.said != "" && strings.HasPrefix(truth, o.said) && o.finish == "":
		return "broken"
	case o.status == 502 && o.failed.Code == "stream_broken" && lasting && calls == 3:
		return "refused"
	}
	r.t.Errorf("cut after %d bytes: %d calls, status %d, done %v, finish %q, %q: %.300s", n, calls, o.status, o.done, o.finish, o.said, o.body)
	return "wrong"
}
