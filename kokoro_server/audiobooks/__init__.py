"""Turn book files into audiobooks in background jobs.

A job goes through four steps: parse the file into chapters, store the job in SQLite, synthesize the chapters segment by
segment with an engine, and mux the audio into one file with chapter marks, tags and cover.

Imports point one way: api -> audiobooks -> engine. The parsers in `formats` handle untrusted documents, so they run in
a child process (`formats.reader`, started by `reading`) and import only `core` and each other.
"""
