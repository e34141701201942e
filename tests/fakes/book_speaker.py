"""Speaks a data folder's jobs with the fake engine: `python -m tests.fakes.book_speaker FOLDER LOG`.

It ends when all are spoken, or as a server does on SIGTERM.
"""

import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

from tests.fakes.book_engine import BookEngine
from tts.books.library import Library, Terms

PAUSE = 0.03  # seconds a portion


def main(folder: Path, log: Path) -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with closing(Library(Terms(folder), BookEngine(log, PAUSE), ahead=2)) as library:
        library.start()
        while not told.wait(0.02) and any(not job.state.ended for job in library.jobs()):
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
