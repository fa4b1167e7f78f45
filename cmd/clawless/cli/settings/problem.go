package settings

import "fmt"

// Problem is one thing that is wrong, and where.
type Problem struct {
	Field   string `json:"field"`           // the setting; empty when it is none
	Where   string `json:"where,omitempty"` // --addr, CLAWLESS_ADDR, clawless.yaml:3
	Message string `json:"message"`
}

// String is the problem as one line.
func (p Problem) String() string {
	switch {
	case p.Field == "" && p.Where == "":
		return p.Message
	case p.Field == "":
		return p.Where + ": " + p.Message
	case p.Where == "":
		return p.Field + ": " + p.Message
	}
	return p.Field + " (" + p.Where + "): " + p.Message
}

// Invalid is the error of settings that cannot be used. It lists everything that is wrong with them.
type Invalid struct{ Problems []Problem }

// Error says how many problems there are; the caller lists them.
func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return "a setting is wrong"
	}
	return fmt.Sprintf("%d settings are wrong", len(e.Problems))
}
