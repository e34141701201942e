"""What all tests share."""

from hypothesis import settings

# No deadline an example: whatever else the machine does at the time must not fail a test.
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
