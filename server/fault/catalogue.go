package fault

// Code is the machine-readable name of a failure, stable across releases.
type Code string

// The codes of the catalogue. Each one's status, meaning and remedy stand in Catalogue.
const (
	InvalidJSON         Code = "invalid_json"
	InvalidRequest      Code = "invalid_request"
	ValidationFailed    Code = "validation_failed"
	UnsupportedParam    Code = "unsupported_parameter"
	UnsupportedMedia    Code = "unsupported_media_type"
	BodyTooLarge        Code = "body_too_large"
	MissingKey          Code = "missing_api_key"
	InvalidKey          Code = "invalid_api_key"
	ExpiredKey          Code = "expired_api_key"
	ScopeMissing        Code = "scope_missing"
	Forbidden           Code = "forbidden"
	OriginNotAllowed    Code = "origin_not_allowed"
	TenantSuspended     Code = "tenant_suspended"
	ModelNotAllowed     Code = "model_not_allowed"
	ModelNotInTier      Code = "model_not_in_tier"
	PriceUnknown        Code = "price_unknown"
	NotFound            Code = "not_found"
	RouteNotFound       Code = "route_not_found"
	ModelNotFound       Code = "model_not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	Conflict            Code = "conflict"
	SessionBusy         Code = "session_busy"
	IdempotencyMismatch Code = "idempotency_mismatch"
	IdempotencyInFlight Code = "idempotency_in_flight"
	StaleVersion        Code = "stale_version"
	RunExpired          Code = "run_expired"
	RateLimited         Code = "rate_limit_exceeded"
	QuotaExceeded       Code = "quota_exceeded"
	ContextTooLong      Code = "context_length_exceeded"
	ContentRefused      Code = "content_refused"
	NoModel             Code = "no_model_available"
	ProviderError       Code = "provider_error"
	ProviderUnreachable Code = "provider_unreachable"
	ProviderOverloaded  Code = "provider_overloaded"
	StreamBroken        Code = "stream_broken"
	AnswerInvalid       Code = "answer_invalid"
	RunCancelled        Code = "run_cancelled"
	RunInterrupted      Code = "run_interrupted"
	ToolLoopLimit       Code = "tool_loop_limit"
	ToolFailed          Code = "tool_failed"
	ShuttingDown        Code = "shutting_down"
	StoreUnavailable    Code = "store_unavailable"
	StoreFull           Code = "store_full"
	Canceled            Code = "request_cancelled"
	Timeout             Code = "timeout"
	Internal            Code = "internal_error"
)

// Spec is what the catalogue says of one code; docs and `clawless help errors` are made from it.
type Spec struct {
	Code    Code
	Status  int    // HTTP status
	Type    string // OpenAI's error type, which its clients group by
	Meaning string
	Do      string // what the reader does next
	Retry   bool   // whether the same request may succeed later
}

const (
	typeRequest = "invalid_request_error"
	typeAuth    = "authentication_error"
	typeDenied  = "permission_error"
	typeRate    = "rate_limit_error"
	typeServer  = "server_error"
	typeAPI     = "api_error"
)

// Catalogue lists every code once, in the order of the documentation.
var Catalogue = []Spec{
	{InvalidJSON, 400, typeRequest, "The body is not one JSON value, or names a field twice.", "Send one JSON object with each field once.", false},
	{InvalidRequest, 400, typeRequest, "The request cannot be carried out as it stands.", "Read the message; it names the field.", false},
	{ValidationFailed, 422, typeRequest, "One or more fields are missing, unknown or out of range. On the OpenAI-compatible routes the status is 400.", "Mend every field listed in error.details.", false},
	{UnsupportedParam, 400, typeRequest, "The parameter is known but cannot be honoured here.", "Leave it out or choose another model.", false},
	{UnsupportedMedia, 415, typeRequest, "The body is not application/json, or is compressed.", "Send Content-Type: application/json without Content-Encoding.", false},
	{BodyTooLarge, 413, typeRequest, "The body is over the server's limit.", "Send less, or ask the operator to raise max_body_bytes.", false},
	{MissingKey, 401, typeAuth, "No API key came with the request.", "Send Authorization: Bearer <key>.", false},
	{InvalidKey, 401, typeAuth, "The key is unknown, malformed or revoked.", "Check the key, or make one with: clawless key create --tenant NAME", false},
	{ExpiredKey, 401, typeAuth, "The key or visitor token has expired.", "Make or rotate a key; the widget renews its token by itself.", false},
	{ScopeMissing, 403, typeDenied, "The key is valid but lacks a scope.", "Use a key with the scope that the message names.", false},
	{Forbidden, 403, typeDenied, "This kind of key may not do this.", "Use a key of the right kind.", false},
	{OriginNotAllowed, 403, typeDenied, "The page's origin is not on the widget's list.", "Add the origin with: clawless widget create --origin ORIGIN", false},
	{TenantSuspended, 403, typeDenied, "The tenant is suspended.", "The operator lifts it with: clawless tenant activate NAME", false},
	{ModelNotAllowed, 403, typeDenied, "The tenant or key may not use this model.", "Choose one that GET /v1/models lists.", false},
	{ModelNotInTier, 403, typeDenied, "The model needs a higher tier than the tenant is on.", "Choose one that GET /v1/models lists, or ask the operator: clawless tenant update NAME --tier TIER", false},
	{PriceUnknown, 403, typeDenied, "The tenant has a spending cap, and the model's price is unknown.", "Choose another model; the operator adds the price to prices_file.", false},
	{NotFound, 404, typeRequest, "There is no such object, or it belongs to somebody else.", "Check the id.", false},
	{RouteNotFound, 404, typeRequest, "There is no such path.", "See /docs for the API reference.", false},
	{ModelNotFound, 404, typeRequest, "No provider offers a model of that name.", "Choose one that GET /v1/models lists.", false},
	{MethodNotAllowed, 405, typeRequest, "The path exists, but not with this method.", "See the Allow header.", false},
	{Conflict, 409, typeRequest, "The object exists already or is in a state that forbids this.", "Read the message.", false},
	{SessionBusy, 409, typeRequest, "Another turn of this session is still running.", "Wait for it, or cancel its run.", true},
	{IdempotencyInFlight, 409, typeRequest, "A request with this Idempotency-Key is still being served.", "Wait for the first one and repeat.", true},
	{IdempotencyMismatch, 409, typeRequest, "This Idempotency-Key was used with another body.", "Use a new key for a new request.", false},
	{StaleVersion, 412, typeRequest, "The object changed since it was read.", "Read it again and repeat with its new ETag.", false},
	{RunExpired, 410, typeRequest, "The run's events are no longer kept.", "Read the session's messages instead.", false},
	{RateLimited, 429, typeRate, "Too many requests.", "Wait as long as Retry-After says.", true},
	{QuotaExceeded, 429, typeRate, "One of the tenant's budgets for this month, of tokens or of money, is used up or reserved.", "The operator raises it with: clawless tenant update NAME --monthly-tokens N, or --monthly-cost DOLLARS", false},
	{ContextTooLong, 400, typeRequest, "The conversation is longer than the model takes.", "Shorten it, or start a new session.", false},
	{ContentRefused, 400, typeRequest, "The provider refused the content.", "Change the content.", false},
	{NoModel, 503, typeAPI, "None of the models that may answer can take this request now.", "error.details says why each was left out; mend that, or try again later.", true},
	{ProviderError, 502, typeAPI, "The provider failed or answered something unusable.", "Try again, or choose another model; the operator sees the cause in the log.", true},
	{ProviderUnreachable, 502, typeAPI, "The provider could not be reached.", "Try again; the operator runs: clawless doctor", true},
	{ProviderOverloaded, 503, typeAPI, "The provider is overloaded.", "Try again later.", true},
	{StreamBroken, 502, typeAPI, "The provider's stream ended before the answer did.", "Ask again; what was shown is kept and billed.", true},
	{AnswerInvalid, 502, typeAPI, "The model's answer was not what response_format asks for, even the second time.", "Ask again, simplify the schema, or choose another model; both answers are billed.", true},
	{RunCancelled, 409, typeRequest, "The run was cancelled on request.", "Start a new turn.", false},
	{ToolLoopLimit, 409, typeRequest, "The turn used its steps, its time or its money for tools without coming to an answer.", "Ask for less at once, or raise the tenant's turn_steps, turn_seconds, turn_cost_micros or turn_tokens.", false},
	{ToolFailed, 502, typeAPI, "A tool did not do what it was asked.", "Read the message; the tool's owner mends the tool.", true},
	{RunInterrupted, 503, typeServer, "The server stopped while the run was under way.", "Send the turn again; the user message is kept.", true},
	{ShuttingDown, 503, typeServer, "The server is shutting down.", "Try again in some seconds.", true},
	{StoreUnavailable, 503, typeServer, "The database is busy, read-only or unreachable.", "Try again; the operator looks at /readyz.", true},
	{StoreFull, 507, typeServer, "The disk is full.", "The operator frees space; nothing acknowledged was lost.", true},
	{Canceled, 499, typeRequest, "The caller went away before the answer.", "Nothing, or send it again.", true},
	{Timeout, 504, typeServer, "The work took longer than its limit.", "Try again.", true},
	{Internal, 500, typeServer, "A fault of the server itself.", "Report it with the request id.", true},
}

// Lookup returns the catalogue's entry, or that of internal_error for a code it does not have.
func Lookup(code Code) Spec {
	for _, s := range Catalogue {
		if s.Code == code {
			return s
		}
	}
	return Catalogue[len(Catalogue)-1]
}
