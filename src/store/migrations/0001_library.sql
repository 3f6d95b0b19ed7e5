-- People, what they recorded, what became of it. Times are milliseconds since 1970, truth is 0 or 1.

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  username      TEXT NOT NULL UNIQUE,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'user')),
  password_hash TEXT,
  disabled_at   BIGINT,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL
);

CREATE TABLE files (
  id               TEXT PRIMARY KEY,
  user_id          TEXT NOT NULL REFERENCES users (id),
  title            TEXT NOT NULL,
  kind             TEXT NOT NULL CHECK (kind IN ('audio', 'video', 'youtube', 'url')),
  status           TEXT NOT NULL CHECK (status IN ('uploaded', 'processing', 'ready', 'failed')),
  mime_type        TEXT,
  blob             TEXT,
  size_bytes       BIGINT CHECK (size_bytes >= 0),
  sha256           TEXT CHECK (length(sha256) = 64),
  duration_seconds DOUBLE PRECISION CHECK (duration_seconds >= 0),
  channels         BIGINT CHECK (channels >= 0),
  error_code       TEXT,
  error_message    TEXT,
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL,
  deleted_at       BIGINT,
  CHECK (status <> 'ready' OR (blob IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL)
         OR deleted_at IS NOT NULL),
  CHECK (status <> 'failed' OR error_code IS NOT NULL)
);
CREATE INDEX files_user_created ON files (user_id, created_at);
CREATE INDEX files_user_updated ON files (user_id, updated_at);
CREATE INDEX files_sha256 ON files (sha256);
CREATE INDEX files_blob ON files (blob);
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;

-- The states and what each implies are drawn in docs/states.md and held by jobs/state.cc.
CREATE TABLE transcriptions (
  id                      TEXT PRIMARY KEY,
  user_id                 TEXT NOT NULL REFERENCES users (id),
  file_id                 TEXT NOT NULL REFERENCES files (id),
  source_transcription_id TEXT,
  client                  TEXT NOT NULL,
  title                   TEXT NOT NULL,
  status                  TEXT NOT NULL
                          CHECK (status IN ('queued', 'processing', 'completed', 'failed', 'canceled')),
  language                TEXT,
  options                 TEXT NOT NULL,
  priority                BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 9),
  progress                DOUBLE PRECISION NOT NULL CHECK (progress BETWEEN 0 AND 1),
  progress_stage          TEXT NOT NULL,
  queued_at               BIGINT NOT NULL,
  available_at            BIGINT,
  started_at              BIGINT,
  completed_at            BIGINT,
  failed_at               BIGINT,
  claimed_by              TEXT,
  claim_expires_at        BIGINT,
  attempt                 BIGINT NOT NULL CHECK (attempt >= 0),
  failures                BIGINT NOT NULL CHECK (failures >= 0),
  crashes                 BIGINT NOT NULL CHECK (crashes >= 0),
  recoveries              BIGINT NOT NULL CHECK (recoveries >= 0),
  engine_id               TEXT,
  duration_seconds        DOUBLE PRECISION CHECK (duration_seconds >= 0),
  speaker_count           BIGINT CHECK (speaker_count >= 0),
  warnings                TEXT NOT NULL,
  diarization_error_code  TEXT,
  error_code              TEXT,
  error_message           TEXT,
  ephemeral_until         BIGINT,
  deleted_at              BIGINT,
  created_at              BIGINT NOT NULL,
  updated_at              BIGINT NOT NULL,
  CHECK ((status = 'processing') = (claimed_by IS NOT NULL)),
  CHECK ((status = 'processing') = (claim_expires_at IS NOT NULL)),
  CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
  CHECK ((status = 'failed') = (failed_at IS NOT NULL)),
  CHECK ((status = 'failed') = (error_code IS NOT NULL)),
  CHECK (status <> 'processing' OR (started_at IS NOT NULL AND attempt > 0)),
  CHECK (status <> 'completed' OR progress = 1)
);
CREATE INDEX transcriptions_claim ON transcriptions (priority, queued_at, created_at, id)
  WHERE status = 'queued' AND available_at IS NOT NULL;
CREATE INDEX transcriptions_status ON transcriptions (status, queued_at);
CREATE INDEX transcriptions_lease ON transcriptions (claim_expires_at) WHERE claim_expires_at IS NOT NULL;
CREATE INDEX transcriptions_user_created ON transcriptions (user_id, created_at);
CREATE INDEX transcriptions_user_updated ON transcriptions (user_id, updated_at);
CREATE INDEX transcriptions_file ON transcriptions (file_id);
CREATE INDEX transcriptions_ephemeral ON transcriptions (ephemeral_until) WHERE ephemeral_until IS NOT NULL;

-- Version 1 is the machine's and never changes; the highest is served. The row is the truth, the blob a copy.
CREATE TABLE transcripts (
  transcription_id TEXT NOT NULL REFERENCES transcriptions (id) ON DELETE CASCADE,
  version          BIGINT NOT NULL CHECK (version >= 1),
  kind             TEXT NOT NULL CHECK (kind IN ('machine', 'edit')),
  document         TEXT NOT NULL,
  created_by       TEXT,
  created_at       BIGINT NOT NULL,
  PRIMARY KEY (transcription_id, version),
  CHECK ((kind = 'machine') = (version = 1))
);

-- One row for each attempt, from its start.
CREATE TABLE transcription_executions (
  id               TEXT PRIMARY KEY,
  transcription_id TEXT NOT NULL REFERENCES transcriptions (id) ON DELETE CASCADE,
  user_id          TEXT NOT NULL,
  status           TEXT NOT NULL
                   CHECK (status IN ('processing', 'completed', 'failed', 'canceled', 'interrupted')),
  attempt          BIGINT NOT NULL,
  provider         TEXT,
  model_name       TEXT,
  model_family     TEXT,
  request          TEXT,
  config           TEXT,
  output_key       TEXT,
  started_at       BIGINT NOT NULL,
  completed_at     BIGINT,
  failed_at        BIGINT,
  error_message    TEXT,
  stage_seconds    TEXT,
  UNIQUE (transcription_id, attempt),
  CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
  CHECK ((status IN ('failed', 'canceled', 'interrupted')) = (failed_at IS NOT NULL))
);
CREATE INDEX executions_output ON transcription_executions (output_key) WHERE output_key IS NOT NULL;

-- What changed, in the order of the commits.
CREATE TABLE events (
  id         {identity},
  user_id    TEXT NOT NULL,
  name       TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  data       TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX events_user ON events (user_id, id);
CREATE INDEX events_subject ON events (subject_id, id);
CREATE INDEX events_created ON events (created_at);

-- Answers to creating requests, kept for those who ask again. No status: the first is still running, in the
-- process `owner`.
CREATE TABLE idempotency_keys (
  user_id    TEXT NOT NULL,
  method     TEXT NOT NULL,
  path       TEXT NOT NULL,
  key        TEXT NOT NULL,
  request    TEXT NOT NULL,
  owner      TEXT NOT NULL,
  status     BIGINT,
  headers    TEXT,
  body       TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, method, path, key)
);
CREATE INDEX idempotency_created ON idempotency_keys (created_at);

-- Uploads in parts that are not yet files; the parts are blobs uploads/<id>/<n>.
CREATE TABLE uploads (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id),
  name       TEXT NOT NULL,
  title      TEXT,
  size_bytes BIGINT NOT NULL CHECK (size_bytes > 0),
  sha256     TEXT,
  part_bytes BIGINT NOT NULL CHECK (part_bytes > 0),
  created_at BIGINT NOT NULL
);
CREATE TABLE upload_parts (
  upload_id  TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  number     BIGINT NOT NULL CHECK (number >= 1),
  blob       TEXT NOT NULL,
  size_bytes BIGINT NOT NULL CHECK (size_bytes > 0),
  sha256     TEXT NOT NULL,
  PRIMARY KEY (upload_id, number)
);
