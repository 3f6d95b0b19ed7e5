-- A request that waits for its transcript leaves nothing in lists: its recording, too, is kept for a while
-- alone, and its events are for who follows that one transcription.
ALTER TABLE files ADD COLUMN ephemeral_until BIGINT;
ALTER TABLE events ADD COLUMN ephemeral BIGINT NOT NULL DEFAULT 0 CHECK (ephemeral IN (0, 1));
CREATE INDEX transcriptions_source ON transcriptions (source_transcription_id)
  WHERE source_transcription_id IS NOT NULL;
