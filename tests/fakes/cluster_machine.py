"""A worker machine of a cluster whose workers are fake processes: Celery, its broker and all the rest is real.

Run as `python -m tests.fakes.cluster_machine --broker redis://…`; other arguments go to the fake workers.
"""

from __future__ import annotations

import argparse
import logging
import sys

from tts.engines import cluster
from tts.engines.child import Child
from tts.engines.parcels import Edition, Link
from tts.engines.pool import Pool
from tts.speech.errors import WorkerUnavailable
from tts.speech.text import Sizes

EDITION = Edition("1.2.3", "f" * 64)
TIMEOUT = 20.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", required=True)
    parser.add_argument("--results", help="a Redis, where the broker is none")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--version", default=EDITION.version)
    options, fake = parser.parse_known_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    command = [sys.executable, "-m", "tests.fakes.fake_worker_process", *fake]
    children = [Child(command, TIMEOUT) for _ in range(options.workers)]
    pool = Pool("pool", children, options.workers, options.workers, Sizes())
    link = Link(options.broker, options.results or options.broker, 60, TIMEOUT, Edition(options.version, EDITION.model))
    try:
        sys.exit(cluster.work(link, pool, options.workers, "INFO"))
    except WorkerUnavailable as exc:
        sys.exit(f"cannot start: {exc}")


if __name__ == "__main__":
    main()
