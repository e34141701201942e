"""Speaks a data folder's jobs with the fake engine: `python -m tests.fakes.book_speaker FOLDER LOG`.

It ends when all are spoken, or as a server does on SIGTERM.
"""

import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.fakes.book_engine import BookEngine
from tts.books.library import Library, Terms

PAUSE = 0.03  # seconds a portion


def main(folder: Path, log: Path) -> None:
    told: set[int] = set()
    signal.signal(signal.SIGTERM, lambda number, _: told.add(number))  # takes no lock, as a handler must not
    with closing(Library(Terms(folder), BookEngine(log, PAUSE), ahead=2)) as library:
        library.start()
        while not told and any(not job.state.ended for job in library.jobs()):
            time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
