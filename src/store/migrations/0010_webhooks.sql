-- Which receivers of a user want to hear of an event is asked with each of them.
CREATE INDEX webhooks_user ON webhooks (user_id);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
