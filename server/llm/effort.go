package llm

import "slices"

// Effort is how much a model thinks before it answers.
type Effort string

// The levels, in rising order. The empty level leaves the choice to the model.
const (
	EffortOff     Effort = "off"
	EffortMinimal Effort = "minimal"
	EffortLow     Effort = "low"
	EffortMedium  Effort = "medium"
	EffortHigh    Effort = "high"
)

// Efforts lists the levels in rising order.
var Efforts = []Effort{EffortOff, EffortMinimal, EffortLow, EffortMedium, EffortHigh}

// ParseEffort reads a level; "none" is OpenAI's word for off. It reports false for anything else.
func ParseEffort(s string) (Effort, bool) {
	if s == "none" {
		return EffortOff, true
	}
	e := Effort(s)
	return e, slices.Contains(Efforts, e)
}
