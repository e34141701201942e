"""Speaks a data folder's jobs with the fake engine: `python -m tests.fakes.book_speaker FOLDER LOG`.

It ends when all are spoken, or as a server does on SIGTERM.
"""

import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from kokoro_server.audiobooks.service import AudiobookService, AudiobookSettings
from tests.fakes.book_engine import BookEngine

PAUSE = 0.03  # seconds a portion


def main(folder: Path, log: Path) -> None:
    told: set[int] = set()
    signal.signal(signal.SIGTERM, lambda number, _: told.add(number))  # takes no lock, as a handler must not
    with closing(AudiobookService(AudiobookSettings(folder), BookEngine(log, PAUSE), max_in_flight=2)) as library:
        library.start()
        while not told and any(not job.state.is_terminal for job in library.list_jobs()):
            time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
