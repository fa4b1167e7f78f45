package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"time"
)

// NewAdminKey makes an operator's key in the form that the server checks: 256 random bits and their checksum.
func NewAdminKey() string {
	encoding := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	body := "clw_admin_" + encoding.EncodeToString(secret)
	return body + encoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

// Post sends one JSON request to the server and decodes its answer into answer. Any status but 2xx is an error that holds the answer's text.
func (s *Server) Post(ctx context.Context, path, key string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s: %s", path, resp.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// NewTenant makes a tenant with a monthly budget of tokens, so that every call reserves and settles, and returns a key of it.
func (s *Server) NewTenant(ctx context.Context, name string, monthlyTokens int64) (key string, err error) {
	var tenant struct {
		ID string `json:"id"`
	}
	err = s.Post(ctx, "/admin/tenants", s.AdminKey, map[string]any{
		"name": name, "tier": "enterprise", "settings": map[string]any{"monthly_tokens": monthlyTokens},
	}, &tenant)
	if err != nil {
		return "", err
	}
	var made struct {
		Key string `json:"key"`
	}
	err = s.Post(ctx, "/admin/tenants/"+tenant.ID+"/keys", s.AdminKey, map[string]any{"name": name}, &made)
	return made.Key, err
}

// NewSession makes an empty session and returns its id.
func (s *Server) NewSession(ctx context.Context, key string) (string, error) {
	var session struct {
		ID string `json:"id"`
	}
	err := s.Post(ctx, "/v1/sessions", key, map[string]any{}, &session)
	return session.ID, err
}
