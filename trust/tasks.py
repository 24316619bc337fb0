"""Celery tasks of this app: each does the work of one job through one domain call."""
