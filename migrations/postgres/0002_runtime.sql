-- Money beside tokens, thinking, receipts, and the choices of a model as they were made. A call from before this step has cost 0 and no price_version: its price is unknown.

-- +goose Up
ALTER TABLE usage_ledger ADD COLUMN cost_micros BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_ledger ADD COLUMN price_version TEXT NOT NULL DEFAULT '';

ALTER TABLE usage_periods ADD COLUMN used_micros BIGINT NOT NULL DEFAULT 0 CHECK (used_micros >= 0);
ALTER TABLE usage_periods ADD COLUMN reserved_micros BIGINT NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0);

ALTER TABLE reservations ADD COLUMN micros BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reservations ADD COLUMN delivered_micros BIGINT NOT NULL DEFAULT 0;

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
    input_tokens       BIGINT NOT NULL DEFAULT 0,
    output_tokens      BIGINT NOT NULL DEFAULT 0,
    cached_tokens      BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens BIGINT NOT NULL DEFAULT 0,
    reasoning_tokens   BIGINT NOT NULL DEFAULT 0,
    cost_micros        BIGINT NOT NULL DEFAULT 0,
    price_version      TEXT NOT NULL DEFAULT '',
    outcome            TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX route_decisions_tenant ON route_decisions (tenant_id, created_at);
CREATE INDEX route_decisions_created ON route_decisions (created_at);

ALTER TABLE route_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE route_decisions FORCE ROW LEVEL SECURITY;
CREATE POLICY route_decisions_tenant ON route_decisions
    USING (current_setting('app.tenant', true) = '*' OR (tenant_id <> '' AND tenant_id = current_setting('app.tenant', true)))
    WITH CHECK (current_setting('app.tenant', true) = '*' OR (tenant_id <> '' AND tenant_id = current_setting('app.tenant', true)));
