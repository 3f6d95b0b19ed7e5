// What can be claimed, and in which order: text, since statements are constants. The first two conditions are
// those of the partial indexes, which the order is that of. $1 is now.
#pragma once

#define CLAIMABLE "status = 'queued' AND available_at IS NOT NULL AND available_at <= $1"
#define CLAIM_ORDER "priority, queued_at, created_at, id"
