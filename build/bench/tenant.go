package main

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
)

// newAdminKey makes an operator's key in the form that the server checks: 256 random bits and their checksum.
func newAdminKey() string {
	encoding := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	body := "clw_admin_" + encoding.EncodeToString(secret)
	return body + encoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

// call sends one JSON request to the server under test and decodes its answer.
func call(ctx context.Context, url, key string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s: %s", req.URL.Path, resp.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// newTenant makes a tenant with a budget, so that every call reserves and settles, and returns a key of it.
func (l *lab) newTenant(ctx context.Context) (key string, err error) {
	var tenant struct {
		ID string `json:"id"`
	}
	err = call(ctx, l.server.url+"/admin/tenants", l.adminKey, map[string]any{
		"name": "bench", "tier": "enterprise", "settings": map[string]any{"monthly_tokens": int64(1) << 50},
	}, &tenant)
	if err != nil {
		return "", err
	}
	var made struct {
		Key string `json:"key"`
	}
	err = call(ctx, l.server.url+"/admin/tenants/"+tenant.ID+"/keys", l.adminKey, map[string]any{"name": "bench"}, &made)
	return made.Key, err
}

// newSession makes an empty session and returns its id.
func (l *lab) newSession(ctx context.Context, key string) (string, error) {
	var session struct {
		ID string `json:"id"`
	}
	err := call(ctx, l.server.url+"/v1/sessions", key, map[string]any{}, &session)
	return session.ID, err
}
