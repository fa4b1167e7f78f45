// Package ids makes and checks the identifiers and secrets of the product: time-sortable ids and self-checking keys.
package ids

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"hash/crc32"
	"strings"

	"github.com/google/uuid"
)

// The prefixes of ids.
const (
	Tenant  = "ten_"
	Key     = "key_"
	Session = "ses_"
	Message = "msg_"
	Run     = "run_"
	Request = "req_"
	Widget  = "wgt_"
	Visitor = "vis_"
	Usage   = "use_"
	Hold    = "hold_"
	Audit   = "aud_"

	Tool      = "tool_"
	MCP       = "mcp_" // a server that speaks the Model Context Protocol
	Approval  = "apr_"
	Summary   = "sum_"
	Execution = "tex_"
)

// The prefixes of secrets.
const (
	AdminKey       = "clw_admin_"
	SecretKey      = "clw_sk_"
	PublishableKey = "clw_pk_"
	VisitorSecret  = "clw_vs_"
)

// crockford is the lower-case alphabet of TypeID: no i, l, o or u, so ids survive being read aloud, and it sorts like the bytes.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// New returns prefix and a UUIDv7 in 26 characters; ids made later sort later, to the millisecond.
func New(prefix string) string {
	id := uuid.Must(uuid.NewV7()) // fails only when the system has no randomness, and then nothing should run
	return prefix + crockford.EncodeToString(id[:])
}

// Valid reports whether id has the prefix and the form that New gives it.
func Valid(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != 26 {
		return false
	}
	b, err := crockford.DecodeString(rest)
	return err == nil && len(b) == 16
}

const (
	secretLen = 52 // 256 bits in base32
	checkLen  = 7  // 32 bits of CRC
)

// NewSecret returns prefix, 256 random bits and a checksum. The checksum is no secret: it lets a scanner or the server refuse a mistyped key without a look-up.
func NewSecret(prefix string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand never fails since Go 1.24
	body := prefix + crockford.EncodeToString(b)
	return body + checksum(body)
}

// ValidSecret reports whether s has the prefix, the length and the right checksum.
func ValidSecret(prefix, s string) bool {
	if !strings.HasPrefix(s, prefix) || len(s) != len(prefix)+secretLen+checkLen {
		return false
	}
	body := s[:len(s)-checkLen]
	if _, err := crockford.DecodeString(body[len(prefix):]); err != nil {
		return false
	}
	return s[len(s)-checkLen:] == checksum(body)
}

// Digest is the form in which a secret is stored and looked up: SHA-256 in hex. A slow hash would add nothing to 256 random bits.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Last4 is what may be shown of a secret afterwards.
func Last4(secret string) string {
	if len(secret) < 4 {
		return ""
	}
	return secret[len(secret)-4:]
}

func checksum(body string) string {
	c := crc32.ChecksumIEEE([]byte(body))
	return crockford.EncodeToString([]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)})
}
