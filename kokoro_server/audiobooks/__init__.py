"""Turn book files into audiobooks in background jobs.

A job goes through four steps: parse the file into chapters, store the job in SQLite, synthesize the chapters segment by
segment with an engine, and mux the audio into one file with chapter marks, tags and cover.

Imports point one way: api -> books -> engines -> speech. The parsers handle untrusted documents, so they run in a child
process (`reader`, started by `reading`) and import only `speech` and each other.
"""
