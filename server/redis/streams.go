package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Entry is one element of a stream. Numbers count 1, 2, 3… without a gap.
type Entry struct {
	Number int64
	Data   []byte
}

// Chunk is what is added to the end of one stream.
type Chunk struct {
	Stream  string
	Entries []Entry
	Fresh   bool          // what the stream has is thrown away first; without it the stream must be there
	Keep    time.Duration // how long the stream is kept from now on; zero leaves that as it is
	Shelf   string        // where the stream's name is noted, to be removed with others; empty for nowhere
	Noted   time.Duration // how long the note is kept
}

// ErrGone says that a stream that was to be continued is no longer there: Redis has forgotten it. It has to be written from its first entry on.
var ErrGone = errors.New("the stream is gone from redis")

// Append adds to many streams in one exchange and returns what became of each. An entry that is there already is passed over, so that a chunk of which nobody knows
// whether it arrived can be sent again.
func (c *Client) Append(ctx context.Context, chunks []Chunk) []error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pipe := c.main.Pipeline()
	adds := make([][]*goredis.StringCmd, len(chunks))
	for i, ch := range chunks {
		key := c.prefix + ch.Stream
		if ch.Fresh {
			pipe.Del(ctx, key)
		}
		for j, e := range ch.Entries {
			adds[i] = append(adds[i], pipe.XAdd(ctx, &goredis.XAddArgs{Stream: key, NoMkStream: !ch.Fresh || j > 0, ID: number(e.Number), Values: []any{"e", e.Data}}))
		}
		if ch.Keep > 0 {
			pipe.PExpire(ctx, key, ch.Keep)
		}
		if ch.Shelf != "" {
			shelf, now := c.prefix+ch.Shelf, time.Now()
			pipe.ZAdd(ctx, shelf, goredis.Z{Score: float64(now.Unix()), Member: ch.Stream})
			pipe.ZRemRangeByScore(ctx, shelf, "-inf", strconv.FormatInt(now.Add(-ch.Noted).Unix(), 10))
			pipe.PExpire(ctx, shelf, ch.Noted)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	out := make([]error, len(chunks))
	for i, cmds := range adds {
		for _, cmd := range cmds {
			if out[i] = outcome(cmd.Err()); out[i] != nil {
				break
			}
		}
	}
	return out
}

func outcome(err error) error {
	switch {
	case errors.Is(err, goredis.Nil):
		return ErrGone
	case err != nil && strings.Contains(err.Error(), "equal or smaller than the target stream top item"):
		return nil // it is there
	}
	return err
}

func number(n int64) string { return "0-" + strconv.FormatInt(n, 10) }

// Range returns at most limit entries after a number, oldest first; none for a stream that is not there.
func (c *Client) Range(ctx context.Context, stream string, after, limit int64) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := c.main.XRangeN(ctx, c.prefix+stream, "("+number(after), "+", limit).Result()
	if err != nil {
		return nil, fmt.Errorf("read a stream: %w", err)
	}
	return entries(list)
}

// Wait is Range for a stream that goes on: when there is nothing yet it waits for the next entry, until then, or until ctx ends. It returns none when nothing came.
// The wait may outlast ctx, but never its own length.
func (c *Client) Wait(ctx context.Context, stream string, after, limit int64, until time.Duration) ([]Entry, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default: // so many wait already that this one has to look again and again
		return c.poll(ctx, stream, after, limit, until)
	}
	list, err := c.waits.XRead(ctx, &goredis.XReadArgs{Streams: []string{c.prefix + stream, number(after)}, Count: limit, Block: until}).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("wait for a stream: %w", err)
	case len(list) != 1:
		return nil, errors.New("wait for a stream: redis answered for another one")
	}
	return entries(list[0].Messages)
}

func (c *Client) poll(ctx context.Context, stream string, after, limit int64, until time.Duration) ([]Entry, error) {
	again := time.NewTimer(min(until, 250*time.Millisecond))
	defer again.Stop()
	select {
	case <-again.C:
		return c.Range(ctx, stream, after, limit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Last returns the newest entry of a stream; its number is zero when there is none.
func (c *Client) Last(ctx context.Context, stream string) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := c.main.XRevRangeN(ctx, c.prefix+stream, "+", "-", 1).Result()
	if err != nil {
		return Entry{}, fmt.Errorf("read a stream's end: %w", err)
	}
	all, err := entries(list)
	if err != nil || len(all) == 0 {
		return Entry{}, err
	}
	return all[0], nil
}

func entries(list []goredis.XMessage) ([]Entry, error) {
	out := make([]Entry, len(list))
	for i, m := range list {
		_, digits, _ := strings.Cut(m.ID, "-")
		n, err := strconv.ParseInt(digits, 10, 64)
		data, ok := m.Values["e"].(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("read a stream: entry %s is not one of ours", m.ID)
		}
		out[i] = Entry{Number: n, Data: []byte(data)}
	}
	return out, nil
}

// Missing returns those of the streams that are not there.
func (c *Client) Missing(ctx context.Context, streams []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pipe := c.main.Pipeline()
	found := make([]*goredis.IntCmd, len(streams))
	for i, s := range streams {
		found[i] = pipe.Exists(ctx, c.prefix+s)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("look for streams: %w", err)
	}
	var out []string
	for i, cmd := range found {
		if cmd.Val() == 0 {
			out = append(out, streams[i])
		}
	}
	return out, nil
}

// RemoveShelf removes the streams that are noted on a shelf, and the shelf.
func (c *Client) RemoveShelf(ctx context.Context, shelf string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	names, err := c.main.ZRange(ctx, c.prefix+shelf, 0, -1).Result()
	if err != nil {
		return fmt.Errorf("read a shelf: %w", err)
	}
	keys := []string{c.prefix + shelf}
	for _, n := range names {
		keys = append(keys, c.prefix+n)
	}
	if err := c.main.Unlink(ctx, keys...).Err(); err != nil {
		return fmt.Errorf("remove streams: %w", err)
	}
	return nil
}

// RemoveAll removes everything whose name begins with start. It walks over all keys of the Redis, so it is for what happens rarely.
func (c *Client) RemoveAll(ctx context.Context, start string) error {
	for cursor := uint64(0); ; {
		keys, next, err := c.main.Scan(ctx, cursor, escape(c.prefix+start)+"*", 1000).Result()
		if err == nil && len(keys) > 0 {
			err = c.main.Unlink(ctx, keys...).Err()
		}
		if err != nil {
			return fmt.Errorf("remove streams: %w", err)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// escape takes a name literally where Redis expects a pattern.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
