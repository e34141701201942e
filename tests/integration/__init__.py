"""Test the parts together: sockets, child processes, the browser, the real network, the wheel."""
