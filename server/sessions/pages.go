package sessions

import (
	"context"

	"github.com/clawless/clawless/server/db"
)

const (
	maxBytes   = 32 << 20 // of the messages that are read at a time; a message can be an image of many megabytes
	firstBatch = 8
	maxBatch   = 128
)

// Filter narrows a list of messages. The zero Filter is the branch that is continued, of every epoch.
type Filter struct {
	Epoch int64 // 0 is every one
	All   bool  // also the branches that are not continued
}

// Messages reads up to limit messages of every branch and epoch after a sequence, oldest first, and says whether more follow. It reads fewer when they are very large.
func Messages(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, after int64, limit int) ([]Message, bool, error) {
	return Forward(ctx, q, t, sessionID, Filter{All: true}, after, limit)
}

// Forward reads up to limit messages after a sequence, oldest first, and says whether more follow. It reads fewer when they are very large.
func Forward(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, f Filter, after int64, limit int) ([]Message, bool, error) {
	return gather(limit, after, func(at int64, n int) ([]Message, error) {
		return read(ctx, q, t, messages, db.Args{"session_id": sessionID, "after": at, "epoch": f.Epoch, "all": f.All, "limit": n})
	})
}

// Backward reads up to limit messages between two sequences, newest first, and says whether more follow. It reads fewer when they are very large.
func Backward(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, f Filter, before, after int64, limit int) ([]Message, bool, error) {
	return gather(limit, before, func(at int64, n int) ([]Message, error) {
		return read(ctx, q, t, messagesBack, db.Args{"session_id": sessionID, "before": at, "after": after, "epoch": f.Epoch, "all": f.All, "limit": n})
	})
}

// Newest reads up to limit messages between two sequences of the branch that is continued in an epoch, newest first. It reads fewer when they are very large.
func Newest(ctx context.Context, q db.Querier, t db.Tenant, sessionID string, epoch, before int64, limit int, after int64) ([]Message, error) {
	out, _, err := gather(limit, before, func(at int64, n int) ([]Message, error) {
		return read(ctx, q, t, newest, db.Args{"session_id": sessionID, "epoch": epoch, "before": at, "after": after, "limit": n})
	})
	return out, err
}

// gather reads in batches from a position on, each as large as the messages so far allow, until there are limit of them, too many bytes or no more.
// It gives at least one message when there is one, whatever its size.
func gather(limit int, at int64, next func(at int64, n int) ([]Message, error)) (out []Message, more bool, err error) {
	var bytes int64
	for n := firstBatch; ; n = batch(bytes, len(out)) {
		n = min(n, limit-len(out)+1) // one more than wanted tells whether there is one
		rows, err := next(at, n)
		if err != nil {
			return nil, false, err
		}
		for _, m := range rows {
			if len(out) == limit || bytes >= maxBytes {
				return out, true, nil
			}
			out = append(out, m)
			bytes += m.size()
			at = m.Sequence
		}
		if len(rows) < n {
			return out, false, nil
		}
	}
}

// batch is how many messages of the average size still fit.
func batch(bytes int64, count int) int {
	average := bytes/int64(max(count, 1)) + 1
	return int(min(maxBatch, max(1, (maxBytes-bytes)/average)))
}

// size is what a message weighs, about.
func (m Message) size() int64 {
	n := int64(len(m.Content) + len(m.Reasoning) + 200)
	for _, c := range m.ToolCalls {
		n += int64(len(c.Function.Arguments))
	}
	return n
}
