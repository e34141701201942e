"""What is typed: the command line, a layer above api; it asks a running server, or an engine that it starts itself."""
