-- Times are microseconds since 1970 UTC. JSON is TEXT, so that its bytes are kept. There are no booleans.
-- A foreign key to a tenant's row carries the tenant, so a reference into another tenant cannot be stored.
-- The names that db.Constraint reports follow Postgres: <table>_pkey and <table>_<columns>_key.

-- +goose Up
CREATE TABLE tenants (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    tier       TEXT NOT NULL,
    status     TEXT NOT NULL,
    settings   TEXT NOT NULL DEFAULT '{}',
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tenants_created ON tenants (created_at, id);

CREATE TABLE admin_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL,
    digest       TEXT NOT NULL UNIQUE,
    last4        TEXT NOT NULL,
    status       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE TABLE api_keys (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    digest       TEXT NOT NULL UNIQUE,
    last4        TEXT NOT NULL,
    scopes       TEXT NOT NULL DEFAULT '[]',
    status       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    rotated_to   TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE TABLE sessions (
    tenant_id     TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    title         TEXT NOT NULL DEFAULT '',
    model         TEXT NOT NULL DEFAULT '',
    system_prompt TEXT NOT NULL DEFAULT '',
    metadata      TEXT NOT NULL DEFAULT '{}',
    end_user      TEXT,
    status        TEXT NOT NULL,
    epoch         INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX sessions_newest ON sessions (tenant_id, updated_at DESC, id DESC);
CREATE INDEX sessions_end_user ON sessions (tenant_id, end_user, updated_at DESC, id DESC);

CREATE TABLE messages (
    tenant_id     TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    sequence      INTEGER NOT NULL,
    id            TEXT NOT NULL,
    epoch         INTEGER NOT NULL DEFAULT 0,
    run_id        TEXT,
    role          TEXT NOT NULL,
    content       TEXT,
    reasoning     TEXT,
    tool_calls    TEXT,
    tool_call_id  TEXT,
    name          TEXT,
    model         TEXT,
    finish_reason TEXT,
    input_tokens  INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, session_id, sequence),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE runs (
    tenant_id     TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    session_id    TEXT,
    key_id        TEXT NOT NULL DEFAULT '',
    end_user      TEXT,
    request_id    TEXT NOT NULL,
    status        TEXT NOT NULL,
    model         TEXT NOT NULL DEFAULT '',
    provider      TEXT NOT NULL DEFAULT '',
    error_code    TEXT,
    error_message TEXT,
    finish_reason TEXT,
    input_tokens  INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    node          TEXT NOT NULL DEFAULT '',
    lease_until   INTEGER,
    started_at    INTEGER NOT NULL,
    finished_at   INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
) STRICT;
-- One turn of a session at a time, whoever starts it.
CREATE UNIQUE INDEX runs_tenant_id_session_id_key ON runs (tenant_id, session_id) WHERE status = 'running' AND session_id IS NOT NULL;
CREATE INDEX runs_lease ON runs (lease_until) WHERE status = 'running';
CREATE INDEX runs_session ON runs (tenant_id, session_id, started_at DESC);

-- The ledger is kept after its tenant is deleted: it has no foreign key, and nothing in it is changed or removed.
CREATE TABLE usage_ledger (
    tenant_id          TEXT NOT NULL,
    id                 TEXT NOT NULL,
    period             TEXT NOT NULL,
    run_id             TEXT,
    request_id         TEXT NOT NULL,
    session_id         TEXT,
    key_id             TEXT NOT NULL DEFAULT '',
    end_user           TEXT,
    provider           TEXT NOT NULL,
    model              TEXT NOT NULL,
    input_tokens       INTEGER NOT NULL DEFAULT 0,
    output_tokens      INTEGER NOT NULL DEFAULT 0,
    cached_tokens      INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens   INTEGER NOT NULL DEFAULT 0,
    source             TEXT NOT NULL CHECK (source IN ('provider', 'counted')),
    outcome            TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, request_id)
) STRICT;
CREATE INDEX usage_ledger_period ON usage_ledger (tenant_id, period, created_at);

-- +goose StatementBegin
CREATE TRIGGER usage_ledger_no_update BEFORE UPDATE ON usage_ledger
BEGIN
    SELECT RAISE(ABORT, 'usage_ledger is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER usage_ledger_no_delete BEFORE DELETE ON usage_ledger
BEGIN
    SELECT RAISE(ABORT, 'usage_ledger is append-only');
END;
-- +goose StatementEnd

CREATE TABLE usage_periods (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    period          TEXT NOT NULL,
    used_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (used_tokens >= 0),
    reserved_tokens INTEGER NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
    requests        INTEGER NOT NULL DEFAULT 0 CHECK (requests >= 0),
    PRIMARY KEY (tenant_id, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
    tenant_id        TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id               TEXT NOT NULL,
    period           TEXT NOT NULL,
    tokens           INTEGER NOT NULL,
    delivered_tokens INTEGER NOT NULL DEFAULT 0,
    run_id           TEXT,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_expiry ON reservations (expires_at);

CREATE TABLE tool_executions (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    session_id   TEXT,
    tool         TEXT NOT NULL,
    arguments    TEXT NOT NULL DEFAULT '{}',
    decision     TEXT NOT NULL,
    status       TEXT NOT NULL,
    result_bytes INTEGER NOT NULL DEFAULT 0,
    duration_ms  INTEGER NOT NULL DEFAULT 0,
    cost_micros  INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX tool_executions_run ON tool_executions (tenant_id, run_id);
CREATE INDEX tool_executions_session ON tool_executions (tenant_id, session_id);
CREATE INDEX tool_executions_newest ON tool_executions (tenant_id, created_at DESC, id DESC);

-- An entry outlives the tenant it is about, so there is no foreign key; tenant_id is NULL for what concerns the whole server.
CREATE TABLE audit_log (
    id         TEXT NOT NULL PRIMARY KEY,
    tenant_id  TEXT,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL DEFAULT '',
    outcome    TEXT NOT NULL,
    detail     TEXT NOT NULL DEFAULT '{}',
    request_id TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, created_at DESC, id DESC);
CREATE INDEX audit_log_newest ON audit_log (created_at DESC, id DESC);

-- tenant_id is '' for the operator's own requests.
CREATE TABLE idempotency (
    tenant_id  TEXT NOT NULL,
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    state      TEXT NOT NULL,
    status     INTEGER,
    headers    TEXT,
    body       BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, scope, key)
) STRICT;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE widgets (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL DEFAULT '',
    key_digest TEXT NOT NULL UNIQUE,
    key_last4  TEXT NOT NULL,
    origins    TEXT NOT NULL DEFAULT '[]',
    settings   TEXT NOT NULL DEFAULT '{}',
    status     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE TABLE widget_visitors (
    tenant_id     TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    widget_id     TEXT NOT NULL,
    secret_digest TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, widget_id) REFERENCES widgets (tenant_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX widget_visitors_widget ON widget_visitors (tenant_id, widget_id);

CREATE TABLE server_state (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
