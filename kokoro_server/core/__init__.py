"""Hold plain data and errors; nothing here imports another part of the project."""
