package replays

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// An answer can hold what is shown once, such as a new key's secret. So it lies in the database under a key that only the caller has: the Idempotency-Key itself,
// of which the database knows the digest alone.

func digest(key string) string {
	sum := sha256.Sum256([]byte("name\n" + key))
	return hex.EncodeToString(sum[:])
}

func cipherOf(key string) (cipher.AEAD, error) {
	sum := sha256.Sum256([]byte("body\n" + key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func seal(key string, body []byte) ([]byte, error) {
	aead, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // crypto/rand never fails since Go 1.24
	return aead.Seal(nonce, nonce, body, nil), nil
}

func unseal(key string, sealed []byte) ([]byte, error) {
	aead, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("a remembered answer is too short")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
}
