// Package mcp speaks to tenants' MCP servers over streamable HTTP: it lists their tools with a hash of what each says about itself, and calls them.
package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawless/clawless/server/tool/credential"
)

// Endpoint is an MCP server of a tenant. What its ID names does not change: another URL or secret is another endpoint.
type Endpoint struct {
	ID         string
	Name       string
	URL        string
	Credential credential.Credential
}

// Options are what a Pool needs.
type Options struct {
	// Client decides which addresses may be reached.
	Client *http.Client
	// Version is this program's, which servers are told.
	Version string
	// Idle is how long an unused connection stays open; zero is two minutes.
	Idle time.Duration
	// Changed is told that a server says its list of tools is another one now. It must return at once, and may be nil.
	Changed func(endpointID string)
}

// Pool keeps a connection to each endpoint in use. It is safe for concurrent use; Close ends them all.
type Pool struct {
	options Options

	mu     sync.Mutex
	links  map[string]*link
	closed bool
}

const (
	idleAfter      = 2 * time.Minute
	connectTimeout = 15 * time.Second
	farewell       = 5 * time.Second // for a server to take our leave
	maxLinks       = 1_000
)

// NewPool makes a pool without connections.
func NewPool(o Options) *Pool {
	if o.Idle == 0 {
		o.Idle = idleAfter
	}
	return &Pool{options: o, links: map[string]*link{}}
}

// link is the connection to one endpoint.
type link struct {
	pool *Pool
	id   string

	connecting sync.Mutex // one connects, the others wait and use it

	mu      sync.Mutex
	session *sdk.ClientSession
	users   int
	used    time.Time
	timer   *time.Timer
}

// errClosed says that the server stops.
var errClosed = errors.New("the server is shutting down")

func (p *Pool) link(id string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	l := p.links[id]
	if l == nil {
		if len(p.links) >= maxLinks {
			p.evict()
		}
		l = &link{pool: p, id: id, used: time.Now()}
		p.links[id] = l
	}
	return l, nil
}

// evict drops the link that was not used for the longest time. The caller holds p.mu.
func (p *Pool) evict() {
	var oldest *link
	var since time.Time
	for _, l := range p.links {
		if used, busy := l.last(); !busy && (oldest == nil || used.Before(since)) {
			oldest, since = l, used
		}
	}
	if oldest != nil {
		delete(p.links, oldest.id)
		go oldest.drop(nil)
	}
}

func (l *link) last() (used time.Time, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used, l.users > 0
}

// use returns a session and what gives it back. fresh wants a new one, which the later uses share.
func (l *link) use(ctx context.Context, e Endpoint, fresh bool) (*sdk.ClientSession, func(), error) {
	l.connecting.Lock()
	defer l.connecting.Unlock()
	l.mu.Lock()
	session := l.session
	l.mu.Unlock()
	if session == nil || fresh {
		made, err := l.pool.connect(ctx, e)
		if err != nil {
			return nil, nil, err
		}
		if session != nil {
			l.drop(session)
		}
		session = made
		go func() {
			_ = made.Wait()
			l.drop(made) // the connection is over: the next use makes another
		}()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = session
	l.users++
	if l.timer != nil {
		l.timer.Stop()
	}
	return session, l.release, nil
}

// release starts the clock when nobody uses the link any more.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users--
	l.used = time.Now()
	if l.users == 0 && l.session != nil {
		l.timer = time.AfterFunc(l.pool.options.Idle, l.rest)
	}
}

// rest closes a link that nobody used.
func (l *link) rest() {
	l.mu.Lock()
	idle := l.users == 0
	session := l.session
	l.mu.Unlock()
	if idle {
		l.drop(session)
	}
}

// drop closes a session, which then is the link's no more; nil takes the one that the link has.
func (l *link) drop(session *sdk.ClientSession) {
	l.mu.Lock()
	if session == nil {
		session = l.session
	}
	if session == l.session {
		l.session = nil
	}
	l.mu.Unlock()
	if session != nil {
		go func() { _ = session.Close() }() // waits for calls under way, which their own contexts end
	}
}

// connect opens a session. The connection outlives ctx, which bounds the making of it.
func (p *Pool) connect(ctx context.Context, e Endpoint) (*sdk.ClientSession, error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return nil, errors.New("its URL cannot be read")
	}
	client := e.Credential.Client(p.options.Client, credential.HostPort(u))
	client.Timeout = 0 // a stream stays open; each call has its context
	client.Transport = &bounded{client.Transport}
	options := &sdk.ClientOptions{Capabilities: &sdk.ClientCapabilities{}, MultiRoundTrip: &sdk.MultiRoundTripOptions{Disabled: true}}
	if p.options.Changed != nil {
		options.ToolListChangedHandler = func(context.Context, *sdk.ToolListChangedRequest) { p.options.Changed(e.ID) }
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return sdk.NewClient(&sdk.Implementation{Name: "clawless", Version: p.options.Version}, options).Connect(ctx,
		&sdk.StreamableClientTransport{Endpoint: e.URL, HTTPClient: client, MaxRetries: 2, MaxEventSize: maxAnswer}, nil)
}

// Forget closes the connection to an endpoint that is no more.
func (p *Pool) Forget(id string) {
	p.mu.Lock()
	l := p.links[id]
	delete(p.links, id)
	p.mu.Unlock()
	if l != nil {
		l.drop(nil)
	}
}

// Close ends every connection. Calls under way fail.
func (p *Pool) Close() {
	p.mu.Lock()
	links := p.links
	p.links, p.closed = map[string]*link{}, true
	p.mu.Unlock()
	for _, l := range links {
		l.drop(nil)
	}
}

// Open is how many connections there are.
func (p *Pool) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, l := range p.links {
		l.mu.Lock()
		if l.session != nil {
			n++
		}
		l.mu.Unlock()
	}
	return n
}

// with runs fn on the endpoint's session, and once more on a new one when the server has forgotten the session, which means that it did nothing.
func (p *Pool) with(ctx context.Context, e Endpoint, fresh bool, fn func(*sdk.ClientSession) error) error {
	l, err := p.link(e.ID)
	if err != nil {
		return err
	}
	for again := range 2 {
		session, release, err := l.use(ctx, e, fresh)
		if err != nil {
			return &Unreachable{told(err, e)}
		}
		err = fn(session)
		release()
		if err == nil || asRefusal(err) != nil {
			return err
		}
		if ctx.Err() == nil {
			l.drop(session) // after a failure of the connection nobody knows what it is good for
		}
		if again == 0 && errors.Is(err, sdk.ErrSessionMissing) {
			continue
		}
		var known *Unreachable
		if errors.As(err, &known) || ctx.Err() != nil {
			return err
		}
		return &Unreachable{told(err, e)}
	}
	return &Unreachable{"it forgets its sessions"}
}

// How the SDK says that its own transport failed: as an error of the same type as a server's own.
const (
	transportCode    = -32005
	transportMessage = "rejected by transport"
)

// asRefusal is the server's own error in err, or nil.
func asRefusal(err error) *jsonrpc.Error {
	var refused *jsonrpc.Error
	if errors.As(err, &refused) && (refused.Code != transportCode || refused.Message != transportMessage) {
		return refused
	}
	return nil
}

// Unreachable says why a server could not be spoken with, in words that are safe to show.
type Unreachable struct{ why string }

// Error implements error.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("the MCP server could not be reached: %s", u.why)
}
