package wire

import (
	"net/http"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

// Classify gives a failure its class from the HTTP status (zero for one inside a stream) and the provider's own words.
func Classify(status int, code, kind, message string) llm.Class {
	if c := byWords(status, code, kind, strings.ToLower(message)); c != "" {
		return c
	}
	return byStatus(status)
}

// byStatus is the class of a status alone.
func byStatus(status int) llm.Class {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return llm.ClassAuth
	case http.StatusPaymentRequired:
		return llm.ClassBilling
	case http.StatusNotFound, http.StatusGone:
		return llm.ClassNotFound
	case http.StatusTooManyRequests:
		return llm.ClassRateLimit
	case http.StatusServiceUnavailable, 529:
		return llm.ClassOverloaded
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return llm.ClassInvalid
	case http.StatusUnavailableForLegalReasons:
		return llm.ClassRefused
	case http.StatusRequestTimeout:
		return llm.ClassTimeout
	}
	return llm.ClassServer
}

// byWord is what providers call their failures, in `code` or in `type`.
var byWord = map[string]llm.Class{
	"context_length_exceeded":      llm.ClassContext,
	"string_above_max_length":      llm.ClassContext,
	"exceed_context_size_error":    llm.ClassContext,
	"insufficient_quota":           llm.ClassBilling,
	"billing_hard_limit_reached":   llm.ClassBilling,
	"billing_not_active":           llm.ClassBilling,
	"billing_error":                llm.ClassBilling,
	"insufficient_credits":         llm.ClassBilling,
	"content_policy_violation":     llm.ClassRefused,
	"content_filter":               llm.ClassRefused,
	"responsibleaipolicyviolation": llm.ClassRefused,
	"overloaded_error":             llm.ClassOverloaded,
	"overloaded":                   llm.ClassOverloaded,
	"service_unavailable":          llm.ClassOverloaded,
	"engine_overloaded_error":      llm.ClassOverloaded,
	"rate_limit_error":             llm.ClassRateLimit,
	"rate_limit_exceeded":          llm.ClassRateLimit,
	"rate_limit_reached_error":     llm.ClassRateLimit,
	"tokens":                       llm.ClassRateLimit, // OpenAI's type of a limit on tokens or requests a minute
	"requests":                     llm.ClassRateLimit,
	"authentication_error":         llm.ClassAuth,
	"invalid_api_key":              llm.ClassAuth,
	"permission_error":             llm.ClassAuth,
	"model_not_found":              llm.ClassNotFound,
	"not_found_error":              llm.ClassNotFound,
	"timeout_error":                llm.ClassTimeout,
	"timeout":                      llm.ClassTimeout,
	"invalid_request_error":        llm.ClassInvalid,
	"request_too_large":            llm.ClassInvalid,
	"api_error":                    llm.ClassServer,
	"server_error":                 llm.ClassServer,
	"internal_server_error":        llm.ClassServer,
}

// longWords are how providers without a code for it say that a conversation is too long.
var longWords = []string{
	"maximum context length", "prompt is too long", "context_length_exceeded", "exceed context limit", "exceeds the context", "exceeds context", "context window",
	"exceeds the available context size", "input is too long", "context size has been exceeded", "maximum number of tokens allowed",
}

// poorWords are how providers without a code for it say that our account has run dry.
var poorWords = []string{"credit balance is too low", "insufficient balance", "insufficient_quota", "exceeded your current quota", "daily free allocation", "billing hard limit"}

// byWords looks for what the words say more exactly than the status. Words never turn a server's failure into the tenant's mistake: a status of 5xx stays one.
func byWords(status int, code, kind, message string) llm.Class {
	class := byWord[strings.ToLower(code)]
	if class == "" {
		class = byWord[strings.ToLower(kind)]
	}
	if status >= 500 {
		if class == llm.ClassOverloaded {
			return class
		}
		return ""
	}
	if status == 0 || status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity {
		if class == llm.ClassContext || containsAny(message, longWords) {
			return llm.ClassContext
		}
	}
	if status != http.StatusUnauthorized && containsAny(message, poorWords) {
		return llm.ClassBilling
	}
	switch {
	case status == 0:
		return class
	case class == llm.ClassRefused && (status == http.StatusBadRequest || status == http.StatusForbidden):
		return class
	case class == llm.ClassBilling, class == llm.ClassOverloaded:
		return class
	case class == llm.ClassNotFound && status == http.StatusBadRequest:
		return class
	case class == llm.ClassAuth && status == http.StatusBadRequest:
		return class
	}
	return ""
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
