"""Prepare Kokoro's ONNX graph for this machine: graph passes, parameter packing, and the cache of prepared models."""
