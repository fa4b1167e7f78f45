package server

import (
	"strings"
	"testing"
)

// TestFirstMinutes is what an operator and a tenant do first: tenant, key, a stateless answer, a session that remembers.
func TestFirstMinutes(t *testing.T) {
	each(t, nil, func(t *testing.T, r *rig) {
		r.fast()
		acme := r.tenant("acme", nil)
		var done struct {
			Choices []struct{ Message struct{ Content string } }
		}
		r.want(200, post(acme.Key, ask("mock/echo", "hello "+canary, nil)), &done)
		if got := done.Choices[0].Message.Content; got != "hello "+canary {
			t.Errorf("echo said %q", got)
		}
		if got := text(t, r.stream(post(acme.Key, ask("mock/echo", "hello again", map[string]any{"stream": true}))).rest()); got != "hello again" {
			t.Errorf("echo streamed %q", got)
		}
		ses := r.session(acme.Key, nil)
		model := r.up.on("memory", answer("noted"))
		for _, said := range []string{"my name is Ada", "what is my name?"} {
			a := r.want(200, post(acme.Key, ask(model, said, map[string]any{"session_id": ses})), nil)
			if !strings.HasPrefix(a.header.Get("Clawless-Run-Id"), "run_") {
				t.Errorf("no run id: %v", a.header)
			}
		}
		calls := r.up.calls(model)
		if len(calls) != 2 {
			t.Fatalf("%d calls of the provider", len(calls))
		}
		if got := strings.Join(calls[1].said(), "|"); got != "user:my name is Ada|assistant:noted|user:what is my name?" {
			t.Errorf("the second turn's context: %s", got)
		}
	})
}
