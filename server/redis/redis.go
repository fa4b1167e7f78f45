// Package redis is the one door to a Redis that several servers share: numbered streams, and a bus that knows when it has missed something.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	patience = 2 * time.Second // of one command
	waiters  = 512             // readers that may wait for a stream at once, with a connection each
)

// Options say which Redis, and how it is used.
type Options struct {
	URL    string       // redis://, rediss:// or unix://
	Prefix string       // of every key and channel; empty takes clawless:
	Log    *slog.Logger // nil discards
}

// Client holds the connections to one Redis. It is safe for concurrent use; the caller closes it.
type Client struct {
	main   *goredis.Client
	waits  *goredis.Client // for reads that block, so that they never keep others from a connection
	slots  chan struct{}   // one for each connection of waits
	prefix string
	log    *slog.Logger
}

// Open reads the options and connects to nothing: a Redis that cannot be reached now may be reached later. Its error never repeats the URL, which may hold a password.
func Open(o Options) (*Client, error) {
	opts, err := goredis.ParseURL(o.URL)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, fmt.Errorf("redis_url must look like redis://HOST:6379/0, rediss://:PASSWORD@HOST:6380/0 or unix:///PATH/redis.sock?db=0: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prefix == "" {
		o.Prefix = "clawless:"
	}
	quiet()
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = patience, patience, patience, patience
	opts.MaxRetries, opts.DialerRetries, opts.ContextTimeoutEnabled, opts.ClientName = 1, 1, true, "clawless"
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	waits := *opts
	waits.PoolSize, waits.MaxIdleConns, waits.MaxRetries = waiters, 8, -1
	return &Client{main: goredis.NewClient(opts), waits: goredis.NewClient(&waits), slots: make(chan struct{}, waiters), prefix: o.Prefix, log: o.Log}, nil
}

// quiet keeps the library from writing to the standard error, once: what fails is told by those who asked.
var quiet = sync.OnceFunc(func() { goredis.SetLogger(silence{}) })

type silence struct{}

// Printf implements the library's logger.
func (silence) Printf(context.Context, string, ...any) {}

// Close ends all connections.
func (c *Client) Close() error { return errors.Join(c.main.Close(), c.waits.Close()) }

// Ping reports whether Redis answers.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.main.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis does not answer: %w", err)
	}
	return nil
}
