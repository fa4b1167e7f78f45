package guard

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a DNS server on loopback that answers what an attacker's would.
type names struct {
	conn net.PacketConn

	mu     sync.Mutex
	table  map[string]func(asked int) []string // by name, without the dot; asked counts questions of one kind
	asked  map[string]int
	served int
}

func newNames(t *testing.T, table map[string]func(asked int) []string) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: conn, table: table, asked: map[string]int{}}
	done := make(chan struct{})
	go func() { defer close(done); n.serve() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return n
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

func (n *names) serve() {
	buf := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		n.answer(&m)
		if b, err := m.Pack(); err == nil {
			_, _ = n.conn.WriteTo(b, from)
		}
	}
}

func (n *names) answer(m *dnsmessage.Message) {
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	addrs, known := n.lookup(strings.TrimSuffix(strings.ToLower(q.Name.String()), "."), q.Type)
	if !known {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	for _, a := range addrs {
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, Type: q.Type, TTL: 0}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
}

func (n *names) lookup(name string, kind dnsmessage.Type) (addrs []netip.Addr, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.served++
	if f := n.table[name]; f != nil {
		key := name + kind.String()
		n.asked[key]++
		for _, a := range f(n.asked[key]) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs, true
	}
	name = strings.TrimPrefix(strings.TrimSuffix(name, ".nip.test"), "a.")
	if dashed, ok := strings.CutSuffix(name, ".sslip.test"); ok {
		name = strings.ReplaceAll(dashed, "-", ".")
	}
	if a, ok := aton(name); ok {
		return []netip.Addr{a}, true
	}
	return nil, false
}

// aton reads an address as the C library does: one to four numbers, decimal, octal or hexadecimal, of which the last fills what is left.
func aton(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var whole uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 0, 64)
		if err != nil {
			return netip.Addr{}, false
		}
		if last := i == len(parts)-1; last {
			whole = whole<<(8*(5-len(parts))) | v&(1<<(8*(5-len(parts)))-1)
		} else {
			whole = whole<<8 | v&0xff
		}
	}
	return netip.AddrFrom4([4]byte{byte(whole >> 24), byte(whole >> 16), byte(whole >> 8), byte(whole)}), true
}
