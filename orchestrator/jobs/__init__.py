"""The life of a job: a state machine in Redis (one Lua script per transition), leases, outbox, sweeper, events."""
