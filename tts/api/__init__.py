"""Serve the HTTP API: routes, request schemas, streaming responses, errors, metrics, and the web page."""
