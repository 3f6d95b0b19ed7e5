-- The next job is the first entry of this index. It begins with the status, which is the same in all of them:
-- a planner without statistics would else take transcriptions_status and sort all that is queued.
DROP INDEX IF EXISTS transcriptions_claim;
CREATE INDEX transcriptions_claim ON transcriptions (status, priority, queued_at, created_at, id)
  WHERE status = 'queued' AND available_at IS NOT NULL;

-- Numbers and times of events grow together; what is old is found from the front.
DROP INDEX IF EXISTS events_created;
