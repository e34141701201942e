"""Provide the command line: a client of a running server, or of an engine that it starts itself."""
