"""Spread utterances over several machines by Celery."""
