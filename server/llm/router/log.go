package router

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/clawless/clawless/server/llm"
)

const (
	loggedWords = 300 // characters of a provider's sentence, or of a cause, in the log
	loggedName  = 64  // of its code or type
)

// log tells the operator what the tenant is not told. A caller that went away is no news.
func (r *Router) log(ctx context.Context, a *Attempt) {
	if a.Err.Class == llm.ClassCanceled {
		return
	}
	r.opts.Log.LogAttrs(ctx, slog.LevelWarn, "a provider failed", append([]slog.Attr{slog.String("model", a.Target.Model), slog.Int("key", a.Key)}, tell(a.Err)...)...)
}

// tell is what the log holds of a failure. Providers repeat requests in what they say about them, and the log holds no prompt: their sentences are kept only where they
// are about our account or their load, and the cause only where the network is it.
func tell(e *llm.Error) []slog.Attr {
	out := []slog.Attr{slog.String("provider", e.Provider), slog.String("class", string(e.Class)), slog.Int("status", e.Status), slog.String("code", name(e.Code)), slog.String("type", name(e.Type))}
	switch e.Class {
	case llm.ClassAuth, llm.ClassBilling, llm.ClassRateLimit, llm.ClassOverloaded:
		if e.Message != "" {
			out = append(out, slog.String("words", cut(e.Message)))
		}
	}
	if network(e) {
		out = append(out, slog.String("error", cut(e.Err.Error())))
	}
	return out
}

// network reports whether the cause of a failure is one of the network, and so of our own making and not of the provider's words.
func network(e *llm.Error) bool {
	var of net.Error
	switch {
	case e.Err == nil:
		return false
	case e.Class == llm.ClassUnreachable, e.Class == llm.ClassTimeout:
		return true
	}
	return errors.As(e.Err, &of) || errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF)
}

// name is a code or type if it is one: a provider that puts sentences there is not repeated.
func name(s string) string {
	if len(s) > loggedName || strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-./:", c)
	}) {
		return ""
	}
	return s
}

// cut shortens a text for the log.
func cut(s string) string {
	if r := []rune(s); len(r) > loggedWords {
		return string(r[:loggedWords]) + "…"
	}
	return s
}
