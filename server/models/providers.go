package models

import (
	"context"
	"time"

	"github.com/clawless/clawless/server/llm/router"
)

// ProviderBody is how a configured provider is.
type ProviderBody struct {
	Name      string                `json:"name"`
	Status    string                `json:"status" enum:"ok,failing,unchecked" doc:"unchecked: it has no list of models that could be asked for"`
	Error     string                `json:"error,omitempty" doc:"The class of the failure, such as auth or unreachable"`
	Detail    string                `json:"detail,omitempty" doc:"What the provider said, without credentials"`
	Models    int                   `json:"models" doc:"How many it lists"`
	LatencyMS int64                 `json:"latency_ms" doc:"How long it took to list them"`
	Keys      ProviderKeysBody      `json:"keys"`
	Circuits  []ProviderCircuitBody `json:"circuits" nullable:"false" doc:"The models that are left alone for a while after repeated failures; empty when all may be called"`
}

// ProviderKeysBody is how a provider's keys are.
type ProviderKeysBody struct {
	OK      int `json:"ok" doc:"How many may be used; one also when none is needed"`
	Cooling int `json:"cooling" doc:"How many are left alone for a while, because the provider refused or limited them"`
}

// ProviderCircuitBody is one model that is left alone for a while.
type ProviderCircuitBody struct {
	Model string     `json:"model" doc:"As the provider calls it"`
	State string     `json:"state" enum:"open,half_open" doc:"open: it is not called; half_open: the next call tries it"`
	Until *time.Time `json:"until,omitempty" doc:"When it is tried again; absent when the next call does"`
	Class string     `json:"class" doc:"Of the last failure, such as overloaded or timeout"`
}

// ProviderListBody is every configured provider.
type ProviderListBody struct {
	Data []ProviderBody `json:"data" nullable:"false"`
}

type healthOut struct{ Body ProviderListBody }

func (r Routes) providers(ctx context.Context, _ *none) (*healthOut, error) {
	out := ProviderListBody{Data: []ProviderBody{}}
	for _, h := range r.Health(ctx) {
		out.Data = append(out.Data, providerBody(h))
	}
	return &healthOut{Body: out}, nil
}

func providerBody(h router.Health) ProviderBody {
	b := ProviderBody{Name: h.Provider, Status: "ok", Models: h.Models, LatencyMS: h.Latency.Milliseconds(), Keys: ProviderKeysBody(h.Keys), Circuits: []ProviderCircuitBody{}}
	switch {
	case !h.Checked:
		b.Status = "unchecked"
	case h.Err != nil:
		b.Status, b.Error, b.Detail = "failing", string(h.Err.Class), h.Err.Public()
	}
	for _, c := range h.Circuits {
		one := ProviderCircuitBody{Model: c.Model, State: c.State, Class: string(c.Class)}
		if !c.Until.IsZero() {
			until := c.Until.UTC().Truncate(time.Second)
			one.Until = &until
		}
		b.Circuits = append(b.Circuits, one)
	}
	return b
}
