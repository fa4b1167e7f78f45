package lab

import (
	"hash/crc32"
	"strings"
	"testing"
)

// TestAdminKey checks the form that the server checks: the last seven letters are the CRC-32 of all before them.
func TestAdminKey(t *testing.T) {
	key := NewAdminKey()
	const checkLen = 7
	if len(key) != len("clw_admin_")+52+checkLen || key == NewAdminKey() {
		t.Fatalf("a key of %d letters", len(key))
	}
	body, check := key[:len(key)-checkLen], key[len(key)-checkLen:]
	var bits uint64
	for _, letter := range check {
		bits = bits<<5 | uint64(strings.IndexRune("0123456789abcdefghjkmnpqrstvwxyz", letter))
	}
	if got := uint32(bits >> (5*checkLen - 32)); got != crc32.ChecksumIEEE([]byte(body)) {
		t.Errorf("checksum %08x of %s", got, body)
	}
}
