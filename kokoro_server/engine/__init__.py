"""Run synthesis: schedule requests over workers and return their audio chunks."""
