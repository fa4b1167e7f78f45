// Package events is the numbered log of a run: what its kinds of events are, how readers follow them, and how a finished log is packed for storage.
package events

import (
	"context"
	"iter"
	"sync"
)

// Kind says what an event is to its reader.
type Kind uint8

// The kinds of events. Done and Failure are last.
const (
	Frame   Kind = iota // a chunk of the answer in OpenAI's chat dialect
	Usage               // the usage chunk, which the OpenAI route shows only to those who asked for it
	Answer              // the whole answer as one completion, for readers that do not stream; never shown in a stream
	Failure             // the error envelope
	Done                // the end of a complete answer
)

// Event is one numbered step of a run. Data is one line of JSON, shared between readers and never changed.
type Event struct {
	Sequence int64 // 1, 2, 3…
	Kind     Kind
	Data     []byte
	Err      error // of a Failure, for a reader that can still send a status
}

// Log is the event log of one run: one writer, any number of readers. It is bounded by the answer's own limits.
type Log struct {
	added func()                                                         // is told of each append; may be nil
	far   func(ctx context.Context, after int64) iter.Seq2[Event, error] // reads a run of another server; nil for one of this

	mu     sync.Mutex
	events []Event
	bytes  int64
	closed bool
	wake   chan struct{} // closed at the next append; nil while no reader waits
}

// New makes the log of a run of this process. added is told of each append, on the writer's goroutine; it may be nil.
func New(added func()) *Log { return &Log{added: added} }

// Whole makes a log that is complete.
func Whole(list []Event) *Log { return &Log{events: list, closed: true} }

// Far makes a log that is written elsewhere: read yields its events after a sequence, as Read does.
func Far(read func(ctx context.Context, after int64) iter.Seq2[Event, error]) *Log {
	return &Log{far: read}
}

// IsFar reports whether the log is written elsewhere, so that it is not known here how long it is.
func (l *Log) IsFar() bool { return l.far != nil }

// Append adds an event; after Done or Failure it does nothing.
func (l *Log) Append(kind Kind, data []byte) { l.add(Event{Kind: kind, Data: data}) }

// Fail ends the log with a failure and its envelope.
func (l *Log) Fail(err error, envelope []byte) { l.add(Event{Kind: Failure, Data: envelope, Err: err}) }

func (l *Log) add(e Event) {
	if l.append(e) && l.added != nil {
		l.added()
	}
}

func (l *Log) append(e Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	e.Sequence = int64(len(l.events)) + 1
	l.events = append(l.events, e)
	l.bytes += int64(len(e.Data)) + 64
	l.closed = e.Last()
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
	return true
}

// Read yields the events after a sequence as they come and ends after the last one. Leaving the range or cancelling ctx stops only this reader.
func (l *Log) Read(ctx context.Context, after int64) iter.Seq2[Event, error] {
	if l.far != nil {
		return l.far(ctx, after)
	}
	return func(yield func(Event, error) bool) {
		for {
			batch, wake, closed := l.next(after)
			for _, e := range batch {
				if !yield(e, nil) {
					return
				}
				after = e.Sequence
			}
			if closed {
				return
			}
			if wake == nil {
				continue // there may be more by now
			}
			select {
			case <-wake:
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// After returns the events after a sequence that there are so far. The caller does not change them.
func (l *Log) After(n int64) []Event {
	batch, _, _ := l.next(n)
	return batch
}

// next returns the events after n, what tells of more when there are none yet, and whether no more will come.
func (l *Log) next(n int64) (batch []Event, wake <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < int64(len(l.events)) {
		return l.events[max(n, 0):len(l.events):len(l.events)], nil, false
	}
	if !l.closed && l.wake == nil {
		l.wake = make(chan struct{})
	}
	return nil, l.wake, l.closed
}

// Size is the memory the log holds, about, in bytes.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Len is how many events there are so far; zero where that is not known here.
func (l *Log) Len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events))
}

// First waits for the first event.
func (l *Log) First(ctx context.Context) (Event, error) {
	for e, err := range l.Read(ctx, 0) {
		return e, err
	}
	return Event{}, ctx.Err()
}
