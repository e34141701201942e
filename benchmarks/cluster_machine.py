"""A worker machine of a cluster whose workers are fake processes: Celery, its broker and all the rest is real.

Run as `python -m benchmarks.cluster_machine --broker redis://…`; other arguments go to the fake workers.
"""

from __future__ import annotations

import argparse
import logging
import sys

from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.cluster import task_server as cluster
from kokoro_server.engine.cluster.messages import BuildId, ClusterSettings
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.text.chunking import UtteranceSizes

BUILD_ID = BuildId("1.2.3", "f" * 64)
TIMEOUT = 20.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", required=True)
    parser.add_argument("--results", help="a Redis, where the broker is none")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--version", default=BUILD_ID.version)
    options, fake = parser.parse_known_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    command = [sys.executable, "-m", "benchmarks.fake_worker_process", *fake]
    children = [WorkerProcess(command, TIMEOUT) for _ in range(options.workers)]
    pool = Pool("pool", children, options.workers, options.workers, UtteranceSizes())
    link = ClusterSettings(
        options.broker, options.results or options.broker, 60, TIMEOUT, BuildId(options.version, BUILD_ID.model)
    )
    try:
        sys.exit(cluster.serve_cluster_tasks(link, pool, options.workers, "INFO"))
    except WorkerUnavailable as exc:
        sys.exit(f"cannot start: {exc}")


if __name__ == "__main__":
    main()
