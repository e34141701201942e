"""What strangers may send, by the million: `python -m tests.fuzz --cases 100000` runs long, the tests a little."""
