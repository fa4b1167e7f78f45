package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	beatEvery = 250 * time.Millisecond
	deafAfter = time.Second            // without hearing itself
	waitSent  = 250 * time.Millisecond // for Publish to have reached Redis
	maxQueue  = 4096                   // words that wait for Redis; beyond that whole topics are told
)

// Bus carries short words between the servers that share a Redis. Words are not kept: a server that could not listen has missed some, and is told so. It keeps a
// beat going, and is healthy while it hears its own, which says that everything sent before it has been heard too.
type Bus struct {
	c       *Client
	node    string
	channel string
	began   time.Time
	heard   atomic.Int64 // when the newest beat that came back was sent, in nanoseconds since began; below zero while there is none
	lost    atomic.Bool  // it was told that Redis is gone

	mu    sync.Mutex
	subs  map[string][]func(string)
	queue []word
	wake  chan struct{}

	stop context.CancelFunc
	wg   sync.WaitGroup
}

type word struct {
	topic, key string
	sent       chan struct{} // closed when Redis has it
}

// OpenBus joins the bus of a Redis, which may be away for now. The caller closes it, before the client.
func OpenBus(c *Client) *Bus {
	ctx, stop := context.WithCancel(context.Background())
	b := &Bus{c: c, node: rand.Text(), channel: c.prefix + "bus", began: time.Now(), subs: map[string][]func(string){}, wake: make(chan struct{}, 1), stop: stop}
	b.heard.Store(-1)
	b.wg.Go(func() { b.listen(ctx) })
	b.wg.Go(func() { b.speak(ctx) })
	return b
}

// Close leaves the bus. Words that wait for Redis are lost.
func (b *Bus) Close() {
	b.stop()
	b.wg.Wait()
}

// Healthy reports whether everything that others have published until a second ago was heard.
func (b *Bus) Healthy() bool {
	heard := b.heard.Load()
	return heard >= 0 && time.Since(b.began)-time.Duration(heard) < deafAfter
}

// Subscribe calls fn, one call at a time, with each key that other servers publish to a topic, and with an empty key when some may have been missed. fn must be quick.
func (b *Bus) Subscribe(topic string, fn func(key string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[topic] = append(b.subs[topic], fn)
}

// Publish tells the other servers a key; an empty one stands for all. While the bus is healthy it returns once Redis has the word, or a moment later. What Redis does
// not take is sent when it is back.
func (b *Bus) Publish(topic, key string) {
	w := word{topic: topic, key: key, sent: make(chan struct{})}
	healthy := b.Healthy()
	b.mu.Lock()
	if len(b.queue) >= maxQueue {
		b.queue = summed(b.queue)
	}
	b.queue = append(b.queue, w)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	if !healthy {
		return
	}
	limit := time.NewTimer(waitSent)
	defer limit.Stop()
	select {
	case <-w.sent:
	case <-limit.C:
	}
}

// summed says "all" for each topic of a queue that has become too long.
func summed(queue []word) (out []word) {
	seen := map[string]bool{}
	for _, w := range queue {
		if !seen[w.topic] {
			seen[w.topic] = true
			out = append(out, word{topic: w.topic, sent: make(chan struct{})})
		}
	}
	return out
}

// speak sends beats, and the queue as soon as there is one.
func (b *Bus) speak(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		b.send(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-b.wake:
			if b.lost.Load() { // the next beat tries again
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		}
	}
}

// send sends what waits and a beat after it.
func (b *Bus) send(ctx context.Context) {
	b.mu.Lock()
	queue := b.queue
	b.queue = nil
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pipe := b.c.main.Pipeline()
	for _, w := range queue {
		pipe.Publish(ctx, b.channel, strings.Join([]string{b.node, w.topic, w.key}, "\x00"))
	}
	pipe.Publish(ctx, b.channel, strings.Join([]string{b.node, "", strconv.FormatInt(int64(time.Since(b.began)), 10)}, "\x00"))
	if _, err := pipe.Exec(ctx); err != nil {
		b.tell(ctx, err)
		b.mu.Lock()
		b.queue = append(queue, b.queue...)
		b.mu.Unlock()
		return
	}
	if b.lost.CompareAndSwap(true, false) {
		b.c.log.Info("redis answers again")
	}
	for _, w := range queue {
		close(w.sent)
	}
}

// tell logs the loss of Redis once.
func (b *Bus) tell(ctx context.Context, err error) {
	if !errors.Is(ctx.Err(), context.Canceled) && b.lost.CompareAndSwap(false, true) {
		b.c.log.Warn("redis does not answer; servers hear of each other's changes after a second, and follow only their own runs until it is back", "error", err.Error())
	}
}

// listen hears the bus, over as many connections as it takes.
func (b *Bus) listen(ctx context.Context) {
	for ctx.Err() == nil {
		ps := b.c.waits.Subscribe(ctx, b.channel)
		end := context.AfterFunc(ctx, func() { _ = ps.Close() })
		b.hear(ctx, ps)
		end()
		_ = ps.Close()
		b.heard.Store(-1)
		again := time.NewTimer(beatEvery / 4)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// hear reads one connection until it breaks, or has been silent for so long that it must be broken.
func (b *Bus) hear(ctx context.Context, ps *goredis.PubSub) {
	for silent := 0; silent < 4 && ctx.Err() == nil; {
		msg, err := ps.ReceiveTimeout(ctx, deafAfter/2)
		if err != nil {
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() {
				return
			}
			silent++
			continue
		}
		silent = 0
		switch m := msg.(type) {
		case *goredis.Subscription: // from here on nothing is missed; of what was before nobody knows
			b.each("", "")
		case *goredis.Message:
			parts := strings.SplitN(m.Payload, "\x00", 3)
			if len(parts) != 3 {
				continue
			}
			switch mine := parts[0] == b.node; {
			case mine && parts[1] == "":
				if at, err := strconv.ParseInt(parts[2], 10, 64); err == nil {
					b.heard.Store(at)
				}
			case !mine && parts[1] != "":
				b.each(parts[1], parts[2])
			}
		}
	}
}

// each calls the subscribers of a topic, or of all.
func (b *Bus) each(topic, key string) {
	b.mu.Lock()
	var fns []func(string)
	for t, list := range b.subs {
		if topic == "" || t == topic {
			fns = append(fns, list...)
		}
	}
	b.mu.Unlock()
	for _, fn := range fns {
		fn(key)
	}
}
