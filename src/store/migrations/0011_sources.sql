-- Where a recording was brought from, as a digest: enough to know it again, and no address with somebody's key in it.
ALTER TABLE files ADD COLUMN source_digest TEXT;
CREATE INDEX files_source ON files (user_id, source_digest, created_at) WHERE source_digest IS NOT NULL;
