"""Define plain data, text segmentation, audio processing and errors; import no other package of the project."""
