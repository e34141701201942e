"""Turn text into phonemes, and keep for every word the span of the text as sent."""
