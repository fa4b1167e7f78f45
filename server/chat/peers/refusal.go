package peers

import "github.com/clawless/clawless/server/fault"

// refusal is a fault in words for a model: its code and what may be shown, and never the cause.
type refusal struct{ cause *fault.Error }

// Error implements error.
func (r refusal) Error() string { return "refused (" + string(r.cause.Code) + "): " + r.cause.Message }

// Unwrap gives the fault to errors.As.
func (r refusal) Unwrap() error { return r.cause }

func refused(err error) error {
	if err == nil {
		return nil
	}
	return refusal{fault.From(err)}
}

// notFound answers for a session that does not exist and one that is not visible alike.
func notFound() error {
	return fault.New(fault.NotFound, "there is no such session; %s lists those that you can reach", NameList)
}
