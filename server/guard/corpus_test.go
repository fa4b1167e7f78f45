package guard

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// targets are addresses that nobody may reach: one at least of every closed network of IPv4.
var targets = []string{"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
	"192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"}

// forms writes one address in every way in which some parser, resolver or router understands it.
func forms(text string) []string {
	b := netip.MustParseAddr(text).As4()
	whole := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	hi, lo := fmt.Sprintf("%02x%02x", b[0], b[1]), fmt.Sprintf("%02x%02x", b[2], b[3])
	wide := func(zero rune) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return zero + r - '0'
			}
			return r
		}, text)
	}
	var escaped strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&escaped, "%%%02x", c)
	}
	return []string{
		text, text + ".", text + "..",
		strconv.FormatUint(uint64(whole), 10), fmt.Sprintf("0x%x", whole), fmt.Sprintf("0X%X", whole), fmt.Sprintf("0%o", whole), fmt.Sprintf("%d", uint64(whole)+1<<32),
		fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]), fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]), fmt.Sprintf("00000%o.00000%o.00000%o.00000%o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d", b[0], whole&0xffffff), fmt.Sprintf("%d.%d.%d", b[0], b[1], whole&0xffff), fmt.Sprintf("0x%x.%d.0%o.%d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d.%d.%d", int(b[0])+256, b[1], b[2], b[3]), fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]),
		wide('０'), wide('𝟎'), wide('𝟶'), wide('٠'), strings.ReplaceAll(text, ".", "。"), strings.ReplaceAll(text, ".", "．"), strings.ReplaceAll(text, ".", "｡"), strings.ReplaceAll(text, ".", "․"),
		escaped.String(), strings.Replace(text, ".", "%2e", 1), strings.Replace(text, ".", "\u200b.", 1), strings.Replace(text, ".", "\u00ad.", 1),
		"[::ffff:" + text + "]", "[::ffff:" + hi + ":" + lo + "]", "[0:0:0:0:0:ffff:" + text + "]", "[::" + text + "]", "[::" + hi + ":" + lo + "]", "[::ffff:0:" + text + "]",
		"[64:ff9b::" + text + "]", "[64:ff9b:1::" + text + "]", "[64:ff9b:1:" + hi + ":0:" + lo + "00::]", "[2002:" + hi + ":" + lo + "::1]", "[2001:0:" + hi + ":" + lo + "::1]",
		fmt.Sprintf("[2001:0:4136:e378:8000:63bf:%02x%02x:%02x%02x]", ^b[0], ^b[1], ^b[2], ^b[3]), "[2a00:1450::5efe:" + text + "]", "[2a00:1450::200:5efe:" + text + "]", "[" + text + "]",
		"a." + text + ".nip.test", strings.ReplaceAll(text, ".", "-") + ".sslip.test",
	}
}

// hosts6 are addresses of IPv6 that nobody may reach.
var hosts6 = []string{"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::1%25lo]", "[::1%lo]", "[fe80::1]", "[fe80::1%25eth0]", "[febf::1]", "[fc00::1]", "[fd00::1]",
	"[fd00:ec2::254]", "[fd20:ce::254]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[100::1]", "[2001:db8::1]", "[3fff::1]", "[2001:2::1]", "[2001:10::1]", "[2001:20::1]", "[2620:4f:8000::1]", "[5f00::1]",
	"[4000::1]", "[e000::1]", "[::2]", "[::ffff:0:0]", "[::1", "::1", "[::1]]", "[[::1]]", "[::1].example.com", "[::ffff:7f00:1%25lo]", "localhost", "LOCALHOST", "localhost.", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
	"lⓞcalhost", "①②⑦.⓪.⓪.①", "loopback.test", "six.test", "mapped.test", "metadata.test", "cname.test"}

// tricks are URLs that two parsers may read differently; HOST stands for the canary's host and port, FRONT for those of the server that may be asked.
var tricks = []string{
	"http://user@HOST/", "http://user:pw@HOST/", "http://FRONT@HOST/", "http://FRONT%40HOST/", "http://FRONT#@HOST/", "http://FRONT%23@HOST/", "http://HOST#@FRONT/", "http://HOST\\@FRONT/", "http://FRONT\\@HOST/",
	"http://FRONT\\HOST/", "http:\\\\HOST/", "http:/\\HOST/", "http:///HOST/", "http:////HOST/", "http:HOST", "http:/HOST/", "//HOST/", "\\\\HOST/", "///HOST/", "http://\tHOST/", "http://HOST\t/", "ht\ttp://HOST/",
	"http://\nHOST/", "http://HOST\r\nHost: x/", "http://HOST%0d%0aX: y/", "http://HOST%00.FRONT/", "http://HOST\x00.FRONT/", "http://FRONT%00@HOST/", "http://%00HOST/", "http://HOST%2f@FRONT/",
	"http://HOST%5c@FRONT/", "http://a:b@c:d@HOST/", "http://@HOST/", "http://:@HOST/", "http://:80@HOST/", "http://HOST?@FRONT/", "http://HOST;@FRONT/", "http://HOST &@FRONT/", "http://FRONT &@HOST/",
	"http://FRONT\u2044@HOST/", "http://FRONT\uff0f@HOST/", "http://FRONT\uff20HOST/", "http://[HOST]/", "http://[FRONT]@HOST/", "http://HOST:80/", "http://HOST:/", "http://HOST:0/", "http://HOST:99999/",
	"http://HOST:-1/", "http://HOST:0x50/", "http:// HOST/", "http://HOST /", "http://*HOST/", "HTTP://HOST/", "hTtPs://HOST/", "https://HOST/", "http://HOST/..//..", "http://HOST/%2e%2e/",
	"file:///etc/passwd", "file://HOST/etc/passwd", "gopher://HOST/_GET%20/", "ftp://HOST/", "unix:///var/run/docker.sock", "unix://HOST/", "data:text/plain,hello", "dict://HOST/info", "ldap://HOST/",
	"tftp://HOST/", "jar:http://HOST/!/", "javascript:alert(1)", "ws://HOST/", "wss://HOST/", "httpx://HOST/", "http+unix://HOST/", "h2c://HOST/", "view-source:http://HOST/", "blob:http://HOST/x",
	"urn:HOST", "http://", "http:", "://HOST", "", " ", "HOST", "http//HOST/", "http;//HOST/", "netdoc:///etc/passwd", "phar://HOST/", "ssh://HOST/", "about:blank", "mailto:a@HOST",
}

// corpus makes all hostile URLs, for a canary behind that port and a server front that may be asked.
func corpus(port, front string) []string {
	var out []string
	for _, target := range targets {
		for _, f := range forms(target) {
			out = append(out, "http://"+f+":"+port+"/")
		}
	}
	for _, h := range hosts6 {
		out = append(out, "http://"+h+":"+port+"/")
	}
	canary := []string{"127.0.0.1:" + port, "[::1]:" + port, "2130706433:" + port, "localhost:" + port}
	for _, t := range tricks {
		for _, c := range canary {
			out = append(out, strings.NewReplacer("HOST", c, "FRONT", front).Replace(t))
		}
	}
	return out
}
