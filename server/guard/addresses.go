package guard

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// closed are the networks of IPv4 that are nobody's in the open Internet, and what clouds answer on beside them. (IANA's registry of special addresses.)
var closed = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carriers' NAT; Alibaba's metadata
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's metadata, in a public network
	"169.254.0.0/16",   // link-local; the metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocols; Oracle's metadata
	"192.0.2.0/24",     // documentation
	"192.31.196.0/24",  // AS112
	"192.52.193.0/24",  // AMT
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"192.175.48.0/24",  // AS112
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
)

// global is the part of IPv6 that holds all addresses of the open Internet. Loopback, unspecified, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48),
// discard-only, SRv6, unique local, link-local, site-local and multicast addresses are outside it.
var global = netip.MustParsePrefix("2000::/3")

// closed6 are the networks in global that lead elsewhere.
var closed6 = prefixes(
	"2001::/23",         // protocols: Teredo (which holds an IPv4 address), benchmarking, ORCHID
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4, which holds an IPv4 address
	"2620:4f:8000::/48", // AS112
	"3ffe::/16",         // the former 6bone
	"3fff::/20",         // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// Public reports whether an address is one of the open Internet: neither of this machine, nor of its networks, nor one that leads into them.
func Public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.Is4() {
		return !within(closed, a)
	}
	return a.IsValid() && global.Contains(a) && !within(closed6, a) && !isTunnel(a)
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// isTunnel tells ISATAP addresses, which hold an IPv4 address, by their second half.
func isTunnel(a netip.Addr) bool {
	b := a.As16()
	return (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// isOwn reports whether the address is one of this machine's own: behind it may be what its firewall keeps from others.
func isOwn(a netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, one := range own {
		if n, ok := one.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
				return true
			}
		}
	}
	return false
}

// Prefixes reads a list of networks such as 10.1.0.0/16, and of single addresses, as one Allow of Options. The error names the first that is neither.
func Prefixes(list []string) (func(netip.Addr) bool, error) {
	var allowed []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, errAddr := netip.ParseAddr(text)
			if errAddr != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is not a network such as 10.1.0.0/16", text)
			}
			a = a.Unmap()
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is to be written as a network of IPv4, such as 10.1.0.0/16", text)
		}
		allowed = append(allowed, p.Masked())
	}
	return func(a netip.Addr) bool { return within(allowed, a.WithZone("").Unmap()) }, nil
}
