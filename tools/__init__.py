"""Hold what developers run by hand; nothing of the server imports it."""
