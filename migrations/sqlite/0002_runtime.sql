-- Money beside tokens, thinking, receipts, and the choices of a model as they were made. A call from before this step has cost 0 and no price_version: its price is unknown.

-- +goose Up
ALTER TABLE usage_ledger ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_ledger ADD COLUMN price_version TEXT NOT NULL DEFAULT '';

ALTER TABLE usage_periods ADD COLUMN used_micros INTEGER NOT NULL DEFAULT 0 CHECK (used_micros >= 0);
ALTER TABLE usage_periods ADD COLUMN reserved_micros INTEGER NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0);

ALTER TABLE reservations ADD COLUMN micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservations ADD COLUMN delivered_micros INTEGER NOT NULL DEFAULT 0;

ALTER TABLE sessions ADD COLUMN thinking TEXT NOT NULL DEFAULT '';

ALTER TABLE runs ADD COLUMN receipt TEXT;

-- No text of a prompt or an answer is in it. It outlives its run and its session, and ends with its tenant or when it is pruned.
CREATE TABLE route_decisions (
    tenant_id          TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id                 TEXT NOT NULL,
    request_id         TEXT NOT NULL,
    run_id             TEXT,
    session_id         TEXT,
    asked              TEXT NOT NULL,
    used               TEXT NOT NULL,
    reason             TEXT NOT NULL,
    ask                TEXT NOT NULL DEFAULT '{}',
    candidates         TEXT NOT NULL DEFAULT '[]',
    input_tokens       INTEGER NOT NULL DEFAULT 0,
    output_tokens      INTEGER NOT NULL DEFAULT 0,
    cached_tokens      INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens   INTEGER NOT NULL DEFAULT 0,
    cost_micros        INTEGER NOT NULL DEFAULT 0,
    price_version      TEXT NOT NULL DEFAULT '',
    outcome            TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX route_decisions_tenant ON route_decisions (tenant_id, created_at);
CREATE INDEX route_decisions_created ON route_decisions (created_at);
