package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/clawless/clawless/server/auth"
	"github.com/clawless/clawless/server/fault"
)

// Idempotency remembers answers by the caller's Idempotency-Key, apart for each tenant.
type Idempotency interface {
	// Begin claims the key. It returns the earlier record when there is one, and faults when it is in flight or was used with another body.
	Begin(ctx context.Context, claim Claim) (*Answer, error)
	// Finish stores the answer; a nil answer gives the key up, so that the request can be repeated.
	Finish(ctx context.Context, claim Claim, answer *Answer) error
}

// Claim names one request: who, where, which key, and the digest of its body.
type Claim struct {
	TenantID, Route, Key, BodyHash string
}

// Answer is a remembered answer: its bytes, or the run that has them.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	RunID  string // set for a session's turn: its events are read again instead of stored bytes
}

type attachKey struct{}

// AttachedRun returns the run that an earlier request with the same Idempotency-Key started, or "".
func AttachedRun(ctx context.Context) string {
	id, _ := ctx.Value(attachKey{}).(string)
	return id
}

// ClaimOf returns the claim that the request under way made with its Idempotency-Key; ok is false without one.
func ClaimOf(ctx context.Context) (claim Claim, ok bool) {
	if c := copyOf(ctx); c != nil {
		return c.claim, true
	}
	return Claim{}, false
}

// Bound says that the claim's record names a run by now: the answer under way is read again from that run and not stored.
func Bound(ctx context.Context) {
	if c := copyOf(ctx); c != nil {
		c.bound = true
	}
}

// Spoil says that the answer under way broke off after its status was sent: a repeated request is carried out anew.
func Spoil(ctx context.Context) {
	if c := copyOf(ctx); c != nil {
		c.over = true
	}
}

func copyOf(ctx context.Context) *copied {
	if rec, _ := ctx.Value(recorderKey{}).(*recorder); rec != nil {
		return rec.copied
	}
	return nil
}

const maxReplay = 4 << 20 // a longer answer is not remembered; its key is given up

// copied keeps an answer's bytes while they are sent.
type copied struct {
	claim Claim
	body  bytes.Buffer
	over  bool // the answer will not be remembered
	bound bool // the record was made in another way
}

func (c *copied) add(b []byte) {
	if c.over || c.body.Len()+len(b) > maxReplay {
		c.over = true
		return
	}
	c.body.Write(b)
}

// replay makes a POST with an Idempotency-Key happen once: the first request is carried out, later ones get its answer.
func (a *API) replay(op huma.Operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		key := ctx.Header("Idempotency-Key")
		p := auth.From(ctx.Context())
		if op.Method != http.MethodPost || key == "" || a.opts.Idempotency == nil || p.Kind == "" {
			next(ctx)
			return
		}
		claim, err := a.claim(ctx, op, p, key)
		if err != nil {
			a.refuse(ctx, err)
			return
		}
		earlier, err := a.opts.Idempotency.Begin(ctx.Context(), claim)
		switch {
		case err != nil:
			a.refuse(ctx, err)
		case earlier != nil && earlier.RunID != "":
			ctx.SetHeader("Idempotency-Replayed", "true")
			next(huma.WithValue(ctx, attachKey{}, earlier.RunID))
		case earlier != nil:
			writeAnswer(ctx, earlier)
		default:
			a.carryOut(ctx, claim, next)
		}
	}
}

// claim reads the body to digest it and puts it back.
func (a *API) claim(ctx huma.Context, op huma.Operation, p auth.Principal, key string) (Claim, error) {
	if len(key) > 255 {
		return Claim{}, fault.New(fault.InvalidRequest, "Idempotency-Key is longer than 255 characters").WithParam("Idempotency-Key")
	}
	r, w := humago.Unwrap(ctx)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.opts.BodyTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, a.opts.MaxBody+1))
	if err != nil {
		f := fault.Wrap(err, fault.Timeout, "the body did not arrive in time")
		f.Status = http.StatusRequestTimeout // it is the caller who was slow
		return Claim{}, f
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	sum := sha256.Sum256(append([]byte(r.URL.Path+"\n"+r.Header.Get("Clawless-Session")+"\n"), body...))
	return Claim{TenantID: p.TenantID, Route: op.OperationID + " " + p.VisitorID, Key: key, BodyHash: hex.EncodeToString(sum[:])}, nil
}

func (a *API) carryOut(ctx huma.Context, claim Claim, next func(huma.Context)) {
	rec := recorderOf(ctx)
	outlive := context.WithoutCancel(ctx.Context())
	store := func(ans *Answer) {
		if err := a.opts.Idempotency.Finish(outlive, claim, ans); err != nil {
			a.opts.Log.Warn("idempotency record not stored", "request_id", RequestID(ctx.Context()), "error", err.Error())
		}
	}
	c := &copied{claim: claim}
	rec.copied = c
	finished := false
	defer func() {
		if !finished && !c.bound {
			store(nil) // a panic: the key is free again
		}
	}()
	next(ctx)
	finished = true
	switch {
	case c.bound:
	case rec.status >= 500 || rec.status == http.StatusTooManyRequests || c.over || ctx.Context().Err() != nil:
		store(nil) // nothing worth repeating: the same request may succeed later
	default:
		store(&Answer{Status: rec.status, Header: replayable(rec.Header()), Body: c.body.Bytes()})
	}
}

// replayable keeps the headers that describe the body.
func replayable(h http.Header) http.Header {
	out := http.Header{}
	for _, k := range []string{"Content-Type", "Cache-Control", "Etag", "Location", "X-Accel-Buffering"} {
		if v := h.Get(k); v != "" {
			out.Set(k, v)
		}
	}
	return out
}

func writeAnswer(ctx huma.Context, ans *Answer) {
	for k := range ans.Header {
		ctx.SetHeader(k, ans.Header.Get(k))
	}
	ctx.SetHeader("Idempotency-Replayed", "true")
	ctx.SetStatus(ans.Status)
	_, _ = ctx.BodyWriter().Write(ans.Body)
}

// MarshalHeader is the stored form of an answer's headers.
func MarshalHeader(h http.Header) string {
	b, _ := json.Marshal(h)
	return string(b)
}
