"""The worker: a Celery process with a pool of threads that claims items, runs their handlers and commits."""
