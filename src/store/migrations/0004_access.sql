-- What keys may do and until when, where sessions came from, and who did what.

CREATE UNIQUE INDEX users_name ON users (lower(username));

ALTER TABLE api_keys ADD COLUMN can_write BIGINT NOT NULL DEFAULT 1 CHECK (can_write IN (0, 1));
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;

ALTER TABLE refresh_tokens ADD COLUMN address TEXT;
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- No reference to users: what someone did stays known when they are gone.
CREATE TABLE audit (
  id         {identity},
  user_id    TEXT,
  credential TEXT,
  action     TEXT NOT NULL,
  subject    TEXT,
  detail     TEXT,
  address    TEXT,
  request_id TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX audit_created ON audit (created_at);
