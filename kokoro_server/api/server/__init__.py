"""Run the WSGI server that the routes are served by."""
