"""Serve HTTP: routes, schemas, streaming, errors, metrics."""
