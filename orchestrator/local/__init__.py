"""Everything on this machine without Docker: Redis, the services, a worker and the API as child processes."""
