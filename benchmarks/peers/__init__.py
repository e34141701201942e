"""The servers that this one is measured against, each in a virtual environment of its own."""
