// Package all is the list of provider drivers: adding a provider is its folder and one line here.
package all

import (
	"slices"

	"github.com/clawless/clawless/server/llm"
	"github.com/clawless/clawless/server/llm/anthropic"
	"github.com/clawless/clawless/server/llm/mock"
	"github.com/clawless/clawless/server/llm/ollama"
	"github.com/clawless/clawless/server/llm/openai"
	"github.com/clawless/clawless/server/llm/workersai"
)

var drivers = []llm.Driver{
	mock.Driver,
	openai.Driver,
	anthropic.Driver,
	ollama.Driver,
	workersai.Driver,
}

// Drivers returns every driver, in the order of the documentation. The slice is the caller's.
func Drivers() []llm.Driver { return slices.Clone(drivers) }

// Lookup returns the driver of that name.
func Lookup(name string) (llm.Driver, bool) {
	for _, d := range drivers {
		if d.Name == name {
			return d, true
		}
	}
	return llm.Driver{}, false
}
