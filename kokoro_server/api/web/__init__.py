"""Serve the web page."""
