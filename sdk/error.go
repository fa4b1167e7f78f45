package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Error is a failure that the server answered. Find it with errors.As.
type Error struct {
	Status     int           // the HTTP status; 200 when a stream failed after it had begun
	Code       string        // from the catalogue, such as not_found; empty when the answer was not Clawless's own
	Type       string        // OpenAI's group of the error
	Message    string        // what is wrong and what to do, safe to show
	Param      string        // the field at fault; empty when there is none
	Details    []Detail      // every bad field of a rejected request
	RequestID  string        // the id to quote to the operator
	RetryAfter time.Duration // how long the server asks to wait; zero when it does not say
}

// Error is the status, the code and the message.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%d: %s", e.Status, e.Message)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message)
}

// envelope is the body of every answer that is not a success.
type envelope struct {
	Error *struct {
		Code      string   `json:"code"`
		Type      string   `json:"type"`
		Message   string   `json:"message"`
		Param     string   `json:"param"`
		Details   []Detail `json:"details"`
		RequestID string   `json:"request_id"`
	} `json:"error"`
}

// parseError reads the envelope, if body is one.
func parseError(status int, body []byte) (_ *Error, ok bool) {
	var env envelope
	if ok = json.Unmarshal(body, &env) == nil && env.Error != nil; !ok {
		return nil, false
	}
	e := env.Error
	return &Error{Status: status, Code: e.Code, Type: e.Type, Message: e.Message, Param: e.Param, Details: e.Details, RequestID: e.RequestID}, true
}

const maxErrorBody = 1 << 20 // bytes; what is longer was not written by Clawless

func errorOf(resp *http.Response) *Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	e, ok := parseError(resp.StatusCode, body)
	if !ok {
		e = &Error{Status: resp.StatusCode, Message: "the answer was not Clawless's own: " + resp.Status}
		if err != nil {
			e.Message = "the connection broke in the middle of the answer: " + resp.Status
		}
	}
	if e.RequestID == "" {
		e.RequestID = resp.Header.Get("X-Request-Id")
	}
	e.RetryAfter = RetryAfter(resp.Header, time.Now())
	return e
}

// RetryAfter reads the Retry-After header, seconds or a date, as a time to wait from now; zero when there is none or it is over.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func mediaType(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// notClawless is the error of a good status with a body of another kind, as the web pages of other servers have.
func notClawless(resp *http.Response, kind string) *Error {
	if kind == "" {
		kind = "something without a type"
	}
	return &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id"),
		Message: fmt.Sprintf("the server answered %s with %s: is it a Clawless server?", resp.Status, kind)}
}
