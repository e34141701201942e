"""How it is asked: the HTTP routes."""
