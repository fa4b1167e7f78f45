package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/fault"
	"github.com/clawless/clawless/server/ids"
	"github.com/clawless/clawless/server/tool"
	"github.com/clawless/clawless/server/tool/credential"
	"github.com/clawless/clawless/server/tools/servers"
)

// Create defines a tool.
func (s *Set) Create(ctx context.Context, tenantID string, in CreateToolRequest) (Tool, error) {
	now := db.At(time.Now())
	t := Tool{ID: ids.New(ids.Tool), TenantID: tenantID, Name: in.Name, Description: in.Description, Parameters: compact(in.Parameters), Effect: tool.Effect(in.Effect),
		Method: in.Method, URL: in.URL, Auth: credential.Kind(in.Auth), AuthName: in.AuthName, Timeout: time.Duration(in.TimeoutMS) * time.Millisecond,
		MaxBytes: int(in.MaxBytes), Status: in.Status, Version: 1, CreatedAt: now, UpdatedAt: now}
	if err := s.check(t, in.Secret); err != nil {
		return Tool{}, err
	}
	if err := s.seal(&t, in.Secret); err != nil {
		return Tool{}, err
	}
	err := s.options.DB.Write(ctx, func(q db.Querier) error {
		tenant := db.TenantOf(tenantID)
		var n int
		if err := count.Get(ctx, q, tenant, &n, db.Args{}); err != nil {
			return err
		}
		if n >= MaxTools {
			return fault.New(fault.Conflict, "a tenant has at most %d tools of its own; delete one first", MaxTools)
		}
		if err := s.freeForHTTP(ctx, q, tenant, t.Name); err != nil {
			return err
		}
		if err := Insert(ctx, q, t); err != nil {
			return err
		}
		return s.options.Audit(ctx, q, tenantID, "tool.create", t.ID)
	})
	if err != nil {
		return Tool{}, err
	}
	s.changed(tenantID)
	return t, nil
}

// Update changes a tool, and only the version that ifMatch names, if it names one.
func (s *Set) Update(ctx context.Context, tenantID, idOrName, ifMatch string, in UpdateToolRequest) (Tool, error) {
	var t Tool
	store := func(q db.Querier) error {
		tenant, now := db.TenantOf(tenantID), time.Now()
		before, err := Get(ctx, q, tenant, idOrName)
		if err != nil {
			return err
		}
		if ifMatch != "" && ifMatch != before.etag() {
			return stale()
		}
		if t, err = s.apply(before, in); err != nil {
			return err
		}
		if t.Name != before.Name {
			if err := s.freeForHTTP(ctx, q, tenant, t.Name); err != nil {
				return err
			}
		}
		if err := Update(ctx, q, t, now); err != nil {
			return err
		}
		t.Version, t.UpdatedAt = t.Version+1, db.At(now)
		return s.options.Audit(ctx, q, tenantID, "tool.update", t.ID)
	}
	err := s.options.DB.Write(ctx, store)
	for range 10 { // two changes at once on Postgres, of which neither named a version: the later one applies to what the first made
		if ifMatch != "" || !fault.Is(err, fault.StaleVersion) {
			break
		}
		err = s.options.DB.Write(ctx, store)
	}
	if err != nil {
		return Tool{}, err
	}
	s.changed(tenantID)
	return t, nil
}

// apply makes the changed tool. A secret stays with the host and the way of sending it for which it was given: whoever may change a tool could read it else.
func (s *Set) apply(before Tool, in UpdateToolRequest) (Tool, error) {
	t := before
	set(&t.Name, in.Name)
	set(&t.Description, in.Description)
	set(&t.Method, in.Method)
	set(&t.URL, in.URL)
	set(&t.AuthName, in.AuthName)
	set(&t.Status, in.Status)
	set((*string)(&t.Auth), in.Auth)
	set((*string)(&t.Effect), in.Effect)
	if in.Parameters != nil {
		t.Parameters = compact(*in.Parameters)
	}
	if in.TimeoutMS != nil {
		t.Timeout = time.Duration(*in.TimeoutMS) * time.Millisecond
	}
	if in.MaxBytes != nil {
		t.MaxBytes = int(*in.MaxBytes)
	}
	if t.Auth == credential.None {
		t.Sealed, t.AuthName = "", ""
	}
	moved := t.definition().Host() != before.definition().Host() || t.Auth != before.Auth || t.AuthName != before.AuthName
	switch {
	case in.Secret != nil && *in.Secret != "":
		if err := s.check(t, *in.Secret); err != nil {
			return Tool{}, err
		}
		return t, s.seal(&t, *in.Secret)
	case t.Auth == credential.None:
		return t, s.check(t, "")
	case moved || t.Sealed == "":
		return Tool{}, servers.Invalid([]fault.Detail{{Field: "secret", Message: "is needed again, because the host or the kind of auth is another one"}})
	}
	return t, s.check(t, "name:stands for the stored one")
}

// seal stores a secret in the tool; an empty one is none.
func (s *Set) seal(t *Tool, secret string) error {
	if secret == "" {
		return nil
	}
	box, err := s.options.Box()
	if err != nil {
		return servers.NoKey(err)
	}
	t.Sealed, err = box.Seal(secret, t.bound())
	return err
}

// check validates what a schema cannot, and reports every bad field at once.
func (s *Set) check(t Tool, secret string) error {
	var bad []fault.Detail
	wrong := func(field, message string) {
		if field != "" {
			bad = append(bad, fault.Detail{Field: field, Message: message})
		}
	}
	if err := tool.CheckName(t.Name); err != nil {
		wrong("name", err.Error())
	} else if ids.Valid(ids.Tool, t.Name) {
		wrong("name", "must not look like an id")
	}
	if err := tool.CheckSchema(t.Parameters); err != nil {
		wrong("parameters", err.Error())
	}
	c := credential.Credential{Kind: t.Auth, Name: t.AuthName, Secret: secret}
	wrong(c.Check())
	if field, message := t.definition().Check(s.options.Private, c); len(bad) == 0 || field != "parameters" {
		wrong(field, message)
	}
	return servers.Invalid(bad)
}

// Delete removes a tool.
func (s *Set) Delete(ctx context.Context, tenantID, idOrName string) error {
	tenant := db.TenantOf(tenantID)
	err := s.options.DB.Write(ctx, func(q db.Querier) error {
		t, err := Get(ctx, q, tenant, idOrName)
		if err != nil {
			return err
		}
		if _, err := remove.Exec(ctx, q, tenant, db.Args{"id": t.ID}); err != nil {
			return err
		}
		return s.options.Audit(ctx, q, tenantID, "tool.delete", t.ID)
	})
	if err == nil {
		s.changed(tenantID)
	}
	return err
}

func set(field, value *string) {
	if value != nil {
		*field = *value
	}
}

// compact is a schema without white space; none is one of no arguments.
func compact(raw json.RawMessage) []byte {
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return []byte(`{"type":"object","properties":{}}`)
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
