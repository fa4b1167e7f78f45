package providers

import (
	"testing"
	"time"

	"github.com/clawless/clawless/sdk"
)

func TestCells(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	if got := keys(sdk.ProviderKeys{Ok: 2}); got != "2 ok" {
		t.Error(got)
	}
	if got := keys(sdk.ProviderKeys{Ok: 1, Cooling: 2}); got != "1 ok, 2 cooling" {
		t.Error(got)
	}
	if got := circuits(nil, now); got != "closed" {
		t.Error(got)
	}
	at := func(d time.Duration) *time.Time {
		t := now.Add(d)
		return &t
	}
	list := []sdk.ProviderCircuit{
		{Model: "a", State: sdk.ProviderCircuitStateOpen, Until: at(95 * time.Second), Class: "timeout"},
		{Model: "b", State: sdk.ProviderCircuitStateOpen, Until: at(-time.Second), Class: "server"},
		{Model: "c", State: sdk.ProviderCircuitStateHalfOpen, Class: "overloaded"},
	}
	if got := circuits(list, now); got != "a open 1m35s (timeout), b open 0s (server), c half open (overloaded)" {
		t.Error(got)
	}
}
