"""What is asked: errors, voices, requests, text and audio. Imports nothing of ours."""
