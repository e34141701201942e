"""Books in the background: files read into chapters, jobs kept in SQLite, spoken by an engine, bound with chapters.

Imports point one way: api -> books -> engines -> speech. `reading` and what lies behind it (documents by strangers, so
the parsers of several formats) run in a child process of their own and import nothing but speech and each other.
"""
