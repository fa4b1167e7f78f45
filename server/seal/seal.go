// Package seal keeps secrets that the server must be able to read again: encrypted, and bound to the row they belong to.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Box seals and opens with one key. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// Open makes a box of a key of KeySize bytes.
func Open(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("an encryption key has %d bytes, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead}, nil
}

// version leads every sealed text, so that another way to seal can be told from this one.
const version = "v1."

// ErrSealed says that a text was not sealed with this key and in this context, or was changed since.
var ErrSealed = errors.New("a stored secret cannot be opened: it was sealed with another encryption_key, or changed since")

// Seal encrypts plain. What it returns is printable text, another one each time; only Open with the same key and context gives plain back.
// The context names the row, so that a secret cannot be moved to another one.
func (b *Box) Seal(plain, context string) (string, error) {
	nonce := make([]byte, b.aead.NonceSize())
	_, _ = rand.Read(nonce) // crypto/rand never fails since Go 1.24
	sealed := b.aead.Seal(nonce, nonce, []byte(plain), []byte(version+context))
	return version + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal returned. Every failure is ErrSealed.
func (b *Box) Open(sealed, context string) (string, error) {
	text, ok := strings.CutPrefix(sealed, version)
	if !ok || strings.ContainsAny(text, "\r\n") { // which base64 would pass over
		return "", ErrSealed
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < b.aead.NonceSize() {
		return "", ErrSealed
	}
	plain, err := b.aead.Open(nil, raw[:b.aead.NonceSize()], raw[b.aead.NonceSize():], []byte(version+context))
	if err != nil {
		return "", ErrSealed
	}
	return string(plain), nil
}

// Context names a tenant's row for Seal and Open. Its parts cannot run into each other.
func Context(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return b.String()
}
