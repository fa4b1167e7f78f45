-- Conversations with branches, epochs, summaries and a search; tools of tenants, what they did and who approved it; events of finished runs that outlive the memory.

-- +goose Up
ALTER TABLE sessions ADD COLUMN external_id TEXT;
ALTER TABLE sessions ADD COLUMN archived_at BIGINT;
ALTER TABLE sessions ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
-- Who gave the title: '' nobody, words the first message, model a model, caller the caller.
ALTER TABLE sessions ADD COLUMN titled TEXT NOT NULL DEFAULT '';
-- What the session narrows its tools to: '' nothing, else JSON {"allow": [...], "deny": [...]}.
ALTER TABLE sessions ADD COLUMN tools TEXT NOT NULL DEFAULT '';
-- Grows with every change of the session and of its messages.
ALTER TABLE sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN last_epoch BIGINT NOT NULL DEFAULT 1;
-- The newest message of the branch that is continued, 0 in an empty epoch.
ALTER TABLE sessions ADD COLUMN head BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN parent_id TEXT;
ALTER TABLE sessions ADD COLUMN depth BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN forked_from TEXT;
ALTER TABLE sessions ADD COLUMN forked_at BIGINT;
UPDATE sessions SET last_epoch = epoch, titled = CASE WHEN title = '' THEN '' ELSE 'caller' END, head = COALESCE((SELECT MAX(m.sequence) FROM messages m
    WHERE m.tenant_id = sessions.tenant_id AND m.session_id = sessions.id AND m.epoch = sessions.epoch), 0);
CREATE UNIQUE INDEX sessions_tenant_id_external_id_key ON sessions (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sessions_parent ON sessions (tenant_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX sessions_old ON sessions (updated_at) WHERE pinned = 0;

-- The message before it in its branch, 0 at the start of an epoch; siblings have the same parent and epoch.
ALTER TABLE messages ADD COLUMN parent BIGINT NOT NULL DEFAULT 0;
-- Whether it is in the branch that is continued.
ALTER TABLE messages ADD COLUMN active BIGINT NOT NULL DEFAULT 1;
-- Where its content is from that nobody in the conversation wrote: '' nowhere, else JSON [{"kind": ..., "source": ...}].
ALTER TABLE messages ADD COLUMN taint TEXT NOT NULL DEFAULT '';
-- The session that sent it; NULL for people.
ALTER TABLE messages ADD COLUMN origin TEXT;
UPDATE messages SET parent = COALESCE((SELECT MAX(m.sequence) FROM messages m WHERE m.tenant_id = messages.tenant_id AND m.session_id = messages.session_id
    AND m.epoch = messages.epoch AND m.sequence < messages.sequence), 0);
CREATE INDEX messages_active ON messages (tenant_id, session_id, epoch, sequence) WHERE active = 1;
CREATE INDEX messages_parent ON messages (tenant_id, session_id, epoch, parent);

CREATE TABLE session_epochs (
    tenant_id  TEXT NOT NULL,
    session_id TEXT NOT NULL,
    epoch      BIGINT NOT NULL,
    previous   BIGINT NOT NULL DEFAULT 0, -- to which undo returns; 0 for the first
    reason     TEXT NOT NULL,          -- start, reset, idle, daily, import
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session_id, epoch),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
INSERT INTO session_epochs (tenant_id, session_id, epoch, previous, reason, created_at)
    SELECT tenant_id, id, epoch, epoch - 1, CASE WHEN epoch > 1 THEN 'reset' ELSE 'start' END, CASE WHEN epoch > 1 THEN updated_at ELSE created_at END FROM sessions;
INSERT INTO session_epochs (tenant_id, session_id, epoch, previous, reason, created_at)
    SELECT m.tenant_id, m.session_id, m.epoch, m.epoch - 1, CASE WHEN m.epoch > 1 THEN 'reset' ELSE 'start' END, MIN(m.created_at) FROM messages m
    JOIN sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id AND s.epoch <> m.epoch GROUP BY m.tenant_id, m.session_id, m.epoch;

-- What stands for older messages in a model's context. They stay; this holds while the message at up_to is in the branch that is continued.
CREATE TABLE session_summaries (
    tenant_id     TEXT NOT NULL,
    id            TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    epoch         BIGINT NOT NULL,
    from_sequence BIGINT NOT NULL, -- 0 where it was carried over from the epoch before
    up_to         BIGINT NOT NULL,
    messages      BIGINT NOT NULL,
    content       TEXT NOT NULL,
    taint         TEXT NOT NULL DEFAULT '',
    model         TEXT NOT NULL,
    run_id        TEXT,
    request_id    TEXT NOT NULL DEFAULT '',
    input_tokens  BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    cost_micros   BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX session_summaries_newest ON session_summaries (tenant_id, session_id, epoch, up_to DESC);

-- What can be searched: the texts of messages, and at sequence 0 the title. words are body's as the program cuts and folds them. They go to the index below and are not kept
-- here: NULL is not indexed yet, as rows from before this step.
CREATE TABLE search_texts (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    body       TEXT NOT NULL,
    words      TEXT,
    UNIQUE (tenant_id, session_id, sequence),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX search_texts_new ON search_texts (id) WHERE words IS NULL;
-- The tenant's id is a word of the index, so that a search reads the tenant's postings and no others. It is a table of its own because no policy may look at what is read of
-- it: the operator of the index is not leakproof, and Postgres would read every row instead. Which rows a search gives is decided by the policy of the texts, which it joins.
CREATE TABLE search_words (
    id    BIGINT NOT NULL PRIMARY KEY REFERENCES search_texts (id) ON DELETE CASCADE,
    words TSVECTOR NOT NULL
);
CREATE INDEX search_words_words ON search_words USING gin (words);
ALTER TABLE search_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_words FORCE ROW LEVEL SECURITY;
CREATE POLICY search_words_read ON search_words FOR SELECT USING (true);
CREATE POLICY search_words_add ON search_words FOR INSERT WITH CHECK (COALESCE(current_setting('app.tenant', true), '') <> '');
INSERT INTO search_texts (tenant_id, session_id, sequence, body) SELECT tenant_id, id, 0, title FROM sessions WHERE title <> '';
INSERT INTO search_texts (tenant_id, session_id, sequence, body)
    SELECT tenant_id, session_id, sequence, body FROM (
        SELECT tenant_id, session_id, sequence, left(CASE jsonb_typeof(content::jsonb) WHEN 'string' THEN content::jsonb #>> '{}'
            WHEN 'array' THEN (SELECT string_agg(p ->> 'text', ' ') FROM jsonb_array_elements(content::jsonb) p WHERE p ->> 'type' = 'text') END, 16384) AS body
        FROM messages WHERE role IN ('user', 'assistant') AND content IS NOT NULL) texts
    WHERE body <> '';

ALTER TABLE runs ADD COLUMN parent_run_id TEXT;
ALTER TABLE runs ADD COLUMN hops BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;

-- Events of finished runs that the memory had no room for, or whose server stopped: compressed, one row a run.
CREATE TABLE run_events (
    tenant_id  TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    count      BIGINT NOT NULL,
    events     BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX run_events_expiry ON run_events (expires_at);

-- One message from one session to another, done once.
CREATE TABLE session_sends (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    from_session TEXT NOT NULL,
    to_session   TEXT NOT NULL,
    run_id       TEXT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX session_sends_created ON session_sends (created_at);

ALTER TABLE tool_executions ADD COLUMN call_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tool_executions ADD COLUMN layer TEXT NOT NULL DEFAULT '';
ALTER TABLE tool_executions ADD COLUMN error TEXT;
ALTER TABLE tool_executions ADD COLUMN taint TEXT NOT NULL DEFAULT '';

CREATE TABLE tenant_tools (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    parameters  TEXT NOT NULL DEFAULT '{}',
    effect      TEXT NOT NULL,
    method      TEXT NOT NULL,
    url         TEXT NOT NULL,
    auth        TEXT NOT NULL DEFAULT 'none',
    auth_name   TEXT NOT NULL DEFAULT '',
    secret      TEXT, -- sealed
    timeout_ms  BIGINT NOT NULL,
    max_bytes   BIGINT NOT NULL,
    status      TEXT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE mcp_servers (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    url        TEXT NOT NULL,
    auth       TEXT NOT NULL DEFAULT 'none',
    auth_name  TEXT NOT NULL DEFAULT '',
    secret     TEXT, -- sealed
    status     TEXT NOT NULL,
    error      TEXT,
    checked_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- A tool is offered while hash and approved_hash are the same.
CREATE TABLE mcp_tools (
    tenant_id     TEXT NOT NULL,
    server_id     TEXT NOT NULL,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL DEFAULT '',
    parameters    TEXT NOT NULL DEFAULT '{}',
    annotations   TEXT NOT NULL DEFAULT 'null', -- the server's own hints
    problem       TEXT NOT NULL DEFAULT '',     -- why models cannot use it
    effect        TEXT NOT NULL,
    hash          TEXT NOT NULL,
    approved_hash TEXT NOT NULL DEFAULT '',
    status        TEXT NOT NULL,
    seen_at       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, server_id, name),
    FOREIGN KEY (tenant_id, server_id) REFERENCES mcp_servers (tenant_id, id) ON DELETE CASCADE
);

-- A tool call that waits for somebody's word. It is decided once, for these arguments alone.
CREATE TABLE approvals (
    tenant_id  TEXT NOT NULL,
    id         TEXT NOT NULL,
    run_id     TEXT NOT NULL,
    session_id TEXT NOT NULL,
    end_user   TEXT,
    call_id    TEXT NOT NULL,
    tool       TEXT NOT NULL,
    arguments  TEXT NOT NULL, -- redacted, for those who decide
    digest     TEXT NOT NULL, -- of the tool and its arguments as they would be used
    taint      TEXT NOT NULL DEFAULT '',
    status     TEXT NOT NULL,
    decided_by TEXT,
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX approvals_run ON approvals (tenant_id, run_id, created_at);

-- +goose StatementBegin
DO $$
DECLARE
    t TEXT;
    owner TEXT := $q$current_setting('app.tenant', true) = '*' OR (tenant_id <> '' AND tenant_id = current_setting('app.tenant', true))$q$;
BEGIN
    FOREACH t IN ARRAY ARRAY['session_epochs', 'session_summaries', 'search_texts', 'run_events', 'session_sends', 'tenant_tools', 'mcp_servers', 'mcp_tools', 'approvals'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY %I ON %I USING (%s) WITH CHECK (%s)', t || '_tenant', t, owner, owner);
    END LOOP;
END
$$;
-- +goose StatementEnd
