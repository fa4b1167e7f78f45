package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/clawless/clawless/sdk"
)

// ChatRequest asks for an answer. With a SessionID it is a turn of that session, and Messages hold only what is new.
type ChatRequest = sdk.ChatRequest

// errSilent ends a connection on which nothing has come for too long.
var errSilent = errors.New("nothing has come for too long")

// Chat asks for an answer and gives it out as it comes; an error is the last step. Nothing is sent before the first step.
//
// A session's turn survives its connection: it is taken up where it broke, from the run's log, so that each event comes once and the text is whole. An error of the
// turn itself, and the end of a stateless call's connection, are not repaired. Leaving the range closes the connection; a session's turn goes on without it, unless
// Cancel stops it.
func (c *Client) Chat(ctx context.Context, req ChatRequest, options ...sdk.Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t := &turn{client: c, ctx: ctx, yield: yield, session: req.SessionID != ""}
		req.StreamOptions = &sdk.StreamOptions{IncludeUsage: true}
		params := &sdk.CreateChatCompletionParams{}
		if t.session {
			params.ClawlessEventIDs = "1"
		}
		t.follow(func(ctx context.Context, header *http.Header) iter.Seq2[sdk.ChatChunk, error] {
			own := append(slices.Clone(options), sdk.WithResponseHeader(header), sdk.WithEventID(&t.lastID))
			return c.CreateChatCompletionStream(ctx, params, req, own...)
		})
	}
}

// Follow gives out the events of a session's run, live or finished, from its first event on, with the same repairs as Chat. The server keeps a finished run's events
// for a time only, and answers 410 after it.
func (c *Client) Follow(ctx context.Context, runID string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t := &turn{client: c, ctx: ctx, yield: yield, session: true, runID: runID}
		t.follow(t.resume)
	}
}

// opener starts a connection and fills in its headers.
type opener func(ctx context.Context, header *http.Header) iter.Seq2[sdk.ChatChunk, error]

// turn is one answer on its way, over as many connections as it takes.
type turn struct {
	client  *Client
	ctx     context.Context
	yield   func(Event, error) bool
	session bool // whether there is a log to take it up from
	runID   string
	eventID string // of the last event that came
	lastID  string // the same for this connection; empty while it has only given signs of life, which have none
	resumed bool   // the connection is one to the run's log
	alive   bool   // something came over the connection, if only a sign of life
	pace    pace   // how long the server asks to wait before coming back
	started bool
	left    bool // the reader has left the range
}

// follow reads the first connection and then, while a session's turn is cut, further ones.
func (t *turn) follow(open opener) {
	for attempt := 0; ; attempt++ {
		t.alive = false
		err := t.read(open)
		if t.left || err == nil {
			return
		}
		if t.alive {
			attempt = 0 // something came: a connection that is cut again and again still makes its way
		}
		if !t.canResume(err) {
			t.yield(nil, err)
			return
		}
		if attempt >= t.client.maxResumes {
			t.yield(nil, t.client.lost(t.runID, err))
			return
		}
		wait := t.wait(err, attempt)
		if !t.yield(Reconnecting{Attempt: attempt + 1, Wait: wait, Err: err}, nil) {
			return
		}
		if err := t.client.sleep(t.ctx, wait); err != nil {
			t.yield(nil, t.client.mapError(err))
			return
		}
		open = t.resume
	}
}

func (t *turn) resume(ctx context.Context, header *http.Header) iter.Seq2[sdk.ChatChunk, error] {
	t.resumed = true
	params := &sdk.StreamRunParams{LastEventID: t.eventID}
	return t.client.StreamRun(ctx, t.runID, params, sdk.WithResponseHeader(header), sdk.WithEventID(&t.lastID))
}

// wait is how long to wait before the next connection: longer each time, and no shorter than the server asks for.
func (t *turn) wait(err error, attempt int) time.Duration {
	wait := max(backoff(attempt), t.pace.duration())
	var own *Error
	if errors.As(err, &own) && own.API != nil {
		wait = max(wait, min(own.API.RetryAfter, maxRetryAfter))
	}
	return wait
}

// canResume tells a broken connection from an answer that is an error.
func (t *turn) canResume(err error) bool {
	if !t.session || t.runID == "" || t.ctx.Err() != nil {
		return false
	}
	var own *Error
	switch {
	case errors.Is(err, errSilent):
		return true
	case !errors.As(err, &own):
		return false // an event that cannot be read would be no better the next time
	case own.API == nil:
		return true
	}
	if !t.resumed {
		return false // the turn's own error; calls that are worth repeating were repeated
	}
	switch own.API.Status { // of the attempt to take it up; an error of the turn comes inside a 200
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict: // another server has the run, and the next connection may reach it
		return own.API.RetryAfter > 0
	}
	return false
}

// lost is the error of a turn that could not be taken up again.
func (c *Client) lost(runID string, err error) error {
	e := &Error{text: fmt.Sprintf("the connection was lost and could not be taken up again: %v", err), hint: "the turn goes on as run " + runID + "; read the session's messages later", err: err}
	var own *Error
	if errors.As(err, &own) {
		e.API = own.API
	}
	return e
}

// read gives out the events of one connection. Its error is nil at the end of the answer.
func (t *turn) read(open opener) error {
	ctx, cancel := context.WithCancelCause(paced(t.ctx, &t.pace))
	defer cancel(nil)
	silence := time.AfterFunc(t.client.idle, func() { cancel(errSilent) })
	defer silence.Stop()
	if !t.session {
		silence.Stop() // there is nothing to take it up from
	}
	var header http.Header
	for chunk, err := range open(ctx, &header) {
		if id := header.Get("Clawless-Run-Id"); id != "" {
			t.runID = id
		}
		if err != nil {
			if t.ctx.Err() == nil && errors.Is(context.Cause(ctx), errSilent) {
				return errSilent
			}
			return err
		}
		if t.alive = true; t.lastID != "" {
			t.eventID = t.lastID
		}
		silence.Stop() // the reader may take its time
		if t.give(chunk); t.left {
			return nil
		}
		if t.session {
			silence.Reset(t.client.idle)
		}
	}
	return nil
}

func (t *turn) give(chunk sdk.ChatChunk) {
	if !t.started {
		t.started = true
		if t.left = !t.yield(Started{RunID: t.runID, Model: chunk.Model}, nil); t.left {
			return
		}
	}
	for _, ev := range events(chunk, t.runID) {
		if t.left = !t.yield(ev, nil); t.left {
			return
		}
	}
}
