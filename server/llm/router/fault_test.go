package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/llm"
)

// secret stands for what a provider says about our account; no tenant may read it.
const secret = "org-secret-account at https://internal.example.com has no money"

var faultTests = []struct {
	name     string
	err      error
	code     fault.Code
	status   int // as the tenant sees it
	upstream string
	message  string
}{
	{"auth", &llm.Error{Class: llm.ClassAuth, Status: 401, Code: "invalid_api_key", Message: secret}, fault.ProviderError, 502, "", "the provider lab failed; try again or choose another model"},
	{"billing", &llm.Error{Class: llm.ClassBilling, Status: 429, Code: "insufficient_quota", Message: secret}, fault.ProviderError, 502, "", "the provider lab failed; try again or choose another model"},
	{"server", &llm.Error{Class: llm.ClassServer, Status: 500, Message: secret}, fault.ProviderError, 502, "", "the provider lab failed; try again or choose another model"},
	{"rate limit", &llm.Error{Class: llm.ClassRateLimit, Status: 429, Message: secret, RetryAfter: 2 * time.Second}, fault.RateLimited, 429, "", "the provider lab gets too many requests; wait and try again"},
	{"overloaded", &llm.Error{Class: llm.ClassOverloaded, Status: 529, Message: secret, RetryAfter: 2 * time.Second}, fault.ProviderOverloaded, 503, "", "the provider lab is overloaded; try again later"},
	{"unreachable", &llm.Error{Class: llm.ClassUnreachable, Message: secret}, fault.ProviderUnreachable, 502, "", "the provider lab could not be reached; try again"},
	{"timeout", &llm.Error{Class: llm.ClassTimeout, Message: secret}, fault.Timeout, 504, "", "the provider lab did not answer in time; try again"},
	{"broken", &llm.Error{Class: llm.ClassBroken, Message: secret}, fault.StreamBroken, 502, "", "the answer of the provider lab broke off; ask again"},
	{"not found", &llm.Error{Class: llm.ClassNotFound, Status: 404, Message: secret}, fault.ModelNotFound, 404, "", "the provider lab has no such model; GET /v1/models lists what there is"},
	{"cancelled", &llm.Error{Class: llm.ClassCanceled, Err: context.Canceled}, fault.Canceled, 499, "", "the request was cancelled before it was answered"},
	{"out of time", &llm.Error{Class: llm.ClassCanceled, Err: context.DeadlineExceeded}, fault.Timeout, 504, "", "the answer was not complete within the time limit; try again"},
	{"too long", &llm.Error{Class: llm.ClassContext, Status: 400, Type: "invalid_request_error", Param: "messages", Code: "context_length_exceeded", Message: "150000 tokens are too many"}, fault.ContextTooLong, 400, "context_length_exceeded", "150000 tokens are too many"},
	{"too long in other words", &llm.Error{Class: llm.ClassContext, Status: 400, Code: "exceed_context_size_error", Message: "too many"}, fault.ContextTooLong, 400, "context_length_exceeded", "too many"},
	{"refused", &llm.Error{Class: llm.ClassRefused, Status: 400, Code: "content_policy_violation", Message: "no"}, fault.ContentRefused, 400, "content_policy_violation", "no"},
	{"invalid", &llm.Error{Class: llm.ClassInvalid, Status: 422, Type: "invalid_request_error", Param: "temperature", Code: "decimal_above_max_value", Message: "at most 2"}, fault.InvalidRequest, 422, "decimal_above_max_value", "at most 2"},
	{"too large", &llm.Error{Class: llm.ClassInvalid, Status: 413, Message: "too large"}, fault.InvalidRequest, 413, "", "too large"},
	{"invalid inside a stream", &llm.Error{Class: llm.ClassInvalid, Message: "bad"}, fault.InvalidRequest, 400, "", "bad"},
	{"unsupported", &llm.Error{Class: llm.ClassInvalid, Status: 400, Param: "logit_bias", Code: "unsupported_parameter", Message: "no logit_bias"}, fault.UnsupportedParam, 400, "unsupported_parameter", "no logit_bias"},
	{"invalid with a page", &llm.Error{Class: llm.ClassInvalid, Status: 400, Message: "<html>nginx</html>"}, fault.InvalidRequest, 400, "", "the provider did not accept the request; check its parameters"},
	{"invalid with a host", &llm.Error{Class: llm.ClassInvalid, Status: 400, Message: "see https://internal.example.com"}, fault.InvalidRequest, 400, "", "see [link]"},
	{"wrapped", fmt.Errorf("turn: %w", &llm.Error{Class: llm.ClassServer, Message: secret}), fault.ProviderError, 502, "", "the provider lab failed; try again or choose another model"},
	{"already a fault", fault.New(fault.ModelNotFound, "x"), fault.ModelNotFound, 404, "", "x"},
	{"anything else", errors.New(secret), fault.Internal, 500, "", "internal error; quote the request id to the operator"},
}

func TestFault(t *testing.T) {
	for _, tt := range faultTests {
		t.Run(tt.name, func(t *testing.T) {
			e := llm.AsError(tt.err)
			if e != nil {
				e.Provider = "lab"
			}
			f := Fault(tt.err)
			status := f.Status
			if status == 0 {
				status = fault.Lookup(f.Code).Status
			}
			if f.Code != tt.code || status != tt.status || f.Upstream != tt.upstream || f.Message != tt.message {
				t.Errorf("got %s, %d, %q, %q", f.Code, status, f.Upstream, f.Message)
			}
			if strings.Contains(f.Message+f.Param+f.Type+f.Upstream, "secret") || strings.Contains(f.Message, "internal.example.com") {
				t.Errorf("the tenant reads %+v", f)
			}
			if e != nil && (!errors.Is(f, tt.err) && llm.AsError(f) != e) {
				t.Error("the cause is lost to the log")
			}
			if e != nil && (e.Class == llm.ClassRateLimit || e.Class == llm.ClassOverloaded) && f.RetryAfter != 2*time.Second {
				t.Errorf("wait %v", f.RetryAfter)
			}
		})
	}
	if Fault(nil) != nil {
		t.Error("nil became a fault")
	}
}
