-- What is old, and how much of a user waits, is found without looking at all there is.

CREATE INDEX files_created ON files (created_at) WHERE blob IS NOT NULL;
CREATE INDEX transcriptions_updated ON transcriptions (updated_at) WHERE deleted_at IS NULL;
CREATE INDEX transcriptions_deleted ON transcriptions (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX transcriptions_waiting ON transcriptions (user_id, status) WHERE status = 'queued';
