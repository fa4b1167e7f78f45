package guard

import (
	"net"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::200e", "2001:200::1", "::ffff:8.8.8.8"} {
		if !Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
	for _, a := range append([]string{"::", "::1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", "100::1", "100:0:0:1::1", "2001::1", "2001:0:808:808::1", "2001:1ff::1", "2001:db8::1", "2002:808:808::1",
		"3ffe::1", "3fff:fff::1", "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "2606:4700::1111%eth0", "fec0::1", "ff02::1", "2a00:1450::5efe:8.8.8.8"}, targets...) {
		if Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestOwnAddresses(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil || len(own) == 0 {
		t.Skip("this machine has no addresses")
	}
	for _, one := range own {
		a, _ := netip.AddrFromSlice(one.(*net.IPNet).IP)
		if !isOwn(a.Unmap()) || (&Options{}).allows(a) {
			t.Errorf("%s is this machine's own", a)
		}
	}
	if isOwn(netip.MustParseAddr("8.8.8.8")) {
		t.Error("8.8.8.8 is not this machine")
	}
}

func TestPrefixes(t *testing.T) {
	allow, err := Prefixes([]string{"10.1.0.0/16", " 127.0.0.1 ", "fd00::/8", "10.9.9.9/24"})
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]bool{"10.1.2.3": true, "10.2.0.0": false, "127.0.0.1": true, "127.0.0.2": false, "fd12::1": true, "fe80::1": false, "::ffff:10.1.2.3": true, "fd00::1%eth0": true, "10.9.9.1": true, "8.8.8.8": false} {
		if allow(netip.MustParseAddr(a)) != want {
			t.Errorf("%s: %t", a, !want)
		}
	}
	for _, bad := range []string{"", "10.0.0", "10.0.0.0/33", "localhost", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if _, err := Prefixes([]string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	none, err := Prefixes(nil)
	if err != nil || none(netip.MustParseAddr("127.0.0.1")) {
		t.Error("an empty list allows something")
	}
}
