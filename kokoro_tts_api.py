"""Start the server: `python kokoro_tts_api.py` serves; `--help` lists the settings, and docs/settings.md explains them.

`python kokoro_tts_api.py worker --broker redis://…` synthesizes for the front server of a cluster instead.
"""

from kokoro_server.app import create_app, main, serve

__all__ = ["create_app", "main", "serve"]

if __name__ == "__main__":
    main()
