-- Recordings that are still to be brought from an address: the row goes when they are here, or never will be.
CREATE TABLE imports (
  file_id      TEXT PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
  user_id      TEXT NOT NULL,
  url          TEXT NOT NULL,
  titled       BIGINT NOT NULL CHECK (titled IN (0, 1)),
  tries        BIGINT NOT NULL CHECK (tries >= 0),
  available_at BIGINT NOT NULL,
  created_at   BIGINT NOT NULL
);
CREATE INDEX imports_due ON imports (created_at, file_id);
CREATE INDEX imports_user ON imports (user_id);
