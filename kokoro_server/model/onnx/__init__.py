"""Run the network in onnxruntime, and rewrite its published graph."""
