-- What can be searched for: the segments of each transcript's newest version. Below the tables stands the
-- database's own index of their words, which follows passages by itself.
CREATE TABLE passages (
  id               {identity},
  transcription_id TEXT NOT NULL REFERENCES transcriptions (id) ON DELETE CASCADE,
  user_id          TEXT NOT NULL,
  segment_id       TEXT NOT NULL,
  start_seconds    DOUBLE PRECISION NOT NULL,
  end_seconds      DOUBLE PRECISION NOT NULL,
  speaker          TEXT,
  speaker_name     TEXT,
  text             TEXT NOT NULL
);
CREATE INDEX passages_transcription ON passages (transcription_id);

-- The version whose segments are passages; NULL: those of a completed transcription are not there yet.
ALTER TABLE transcriptions ADD COLUMN searchable_version BIGINT;
CREATE INDEX transcriptions_unsearchable ON transcriptions (id)
  WHERE status = 'completed' AND searchable_version IS NULL;

{passages_index}
