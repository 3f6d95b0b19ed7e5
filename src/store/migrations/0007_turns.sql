-- Whose turn it is: who has what queued and in work, and who was last, found from user to user. The indexes begin
-- with the status for the same reason as transcriptions_claim does.
CREATE INDEX transcriptions_claim_user ON transcriptions (status, priority, user_id, queued_at, created_at, id)
  WHERE status = 'queued' AND available_at IS NOT NULL;
CREATE INDEX transcriptions_running ON transcriptions (status, user_id) WHERE status = 'processing';
CREATE INDEX transcriptions_started ON transcriptions (user_id, started_at) WHERE started_at IS NOT NULL;
