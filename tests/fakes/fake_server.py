"""The real server around workers without a network; arguments go to those, settings come from the environment.

Run as `python -m tests.fakes.fake_server --pace 0.001`.
"""

from __future__ import annotations

import os
import signal
import sys

from config import Config
from kokoro_tts_api import serve
from tts.engines import logs
from tts.setup import StartFailed
from tts.setup.engines import warm_pool


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    config = Config.from_environment(os.environ)
    logs.begin(config.LOG_LEVEL, config.LOG_FORMAT)
    workers = [sys.executable, "-m", "tests.fakes.fake_worker_process", *sys.argv[1:]]
    try:
        serve(config, warm_pool(config, workers, config.QUEUE))
    except StartFailed as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")


if __name__ == "__main__":
    main()
