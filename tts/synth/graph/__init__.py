"""Kokoro's graph made ready for this machine: small passes, graph in, graph out, and their cache."""
