package router

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawless/clawless/server/llm"
)

// TestKeysCoolForOneModel: what is forbidden or limited leaves the key to other models; what is wrong with the key does not.
func TestKeysCoolForOneModel(t *testing.T) {
	for _, tt := range []struct {
		class  llm.Class
		status int
		other  string // which key serves another model
		cools  time.Duration
	}{
		{llm.ClassAuth, 403, "one", cooledAuth}, {llm.ClassRateLimit, 429, "one", cooledLimit}, {llm.ClassRateLimit, 0, "one", cooledLimit}, {llm.ClassAuth, 401, "two", cooledAuth},
		{llm.ClassAuth, 0, "two", cooledAuth}, {llm.ClassBilling, 402, "two", cooledAuth}, {llm.ClassBilling, 403, "two", cooledAuth},
	} {
		synctest.Test(t, func(t *testing.T) {
			bad := func(yield func(llm.Chunk, error) bool) {
				yield(llm.Chunk{}, &llm.Error{Class: tt.class, Provider: "a", Status: tt.status})
			}
			one := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){bad, works("one")}}
			two := &script{name: "a", turns: []func(func(llm.Chunk, error) bool){works("two")}}
			r := New([]llm.Provider{one, two}, Options{Log: quiet()})
			if _, text, fail := stream(t, r, "a/m"); text != "two" {
				t.Fatalf("%s %d: %q, %v", tt.class, tt.status, text, fail)
			}
			want := Keys{2, 0}
			if tt.other == "two" {
				want = Keys{1, 1}
			}
			if got := r.Health(t.Context())[0].Keys; got != want {
				t.Errorf("%s %d: %+v", tt.class, tt.status, got)
			}
			if _, text, _ := stream(t, r, "a/other"); text != tt.other {
				t.Errorf("%s %d: key %s serves another model", tt.class, tt.status, text)
			}
			if _, text, _ := stream(t, r, "a/m"); text != "two" {
				t.Errorf("%s %d: key %s serves the model", tt.class, tt.status, text)
			}
			wait(tt.cools)
			if _, text, _ := stream(t, r, "a/m"); text != "one" {
				t.Errorf("%s %d: key %s serves once it has cooled", tt.class, tt.status, text)
			}
		})
	}
}

// TestKeysForgetModels: names that tenants make up cost a key no memory without bound, and an answer ends the cooling of its model.
func TestKeysForgetModels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &key{}
		limit := func(model string, d time.Duration) {
			k.settle(model, &llm.Error{Class: llm.ClassRateLimit, RetryAfter: d})
		}
		limit("real", time.Hour)
		for i := range 1000 {
			limit(fmt.Sprint("made-up-", i), time.Minute)
		}
		if now := time.Now(); len(k.models) != keyModels || !k.cooling("real", now) || !k.cooling("made-up-999", now) || k.cooling("", now) {
			t.Errorf("%d models, real until %d", len(k.models), k.good("real"))
		}
		wait(time.Minute)
		limit("next", time.Minute)
		if len(k.models) != 2 {
			t.Errorf("those that are over are kept: %v", k.models)
		}
		k.settle("next", nil)
		k.settle("real", nil)
		if k.cooling("real", time.Now()) || k.some.Load() {
			t.Errorf("after answers: %v", k.models)
		}
	})
}
