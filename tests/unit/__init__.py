"""Test one module at a time on fakes: no weights, no child processes, under a minute in all."""
