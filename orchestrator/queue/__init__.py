"""Celery as the carrier of ids from the outbox to the workers: the app, the tasks, the publisher."""
