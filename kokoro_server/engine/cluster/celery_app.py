"""Set up Celery alike on front servers and worker machines.

The two sides find each other by the names here and by the queue of their build. Most of the settings say what becomes
of a task when a machine, the network or the broker is lost: the task must not be lost with it.
"""

from __future__ import annotations

from celery import Celery  # type: ignore[import-untyped]
from kombu.entity import Queue

from kokoro_server.engine.cluster.messages import ClusterSettings

TASK_NAME = "kokoro.answer"
"""Name of the Celery task."""
HEARTBEAT_COMMAND = "kokoro_roll"
"""Name of the remote-control command of the heartbeat."""
SOCKET_TIMEOUT = 3.0
"""Seconds without a reply until the connection to a broker counts as lost."""
MIN_PRIORITY, MAX_PRIORITY = 0, 9
"""Priorities in Celery. Redis serves the lowest number first, RabbitMQ the highest."""


def make_app(settings: ClusterSettings, results: str | None) -> Celery:
    """Return a Celery app with our settings.

    A front server sends with an app that has no `results`: Celery would subscribe to every result itself.
    """
    app = Celery("kokoro", broker=settings.broker, backend=results, set_as_current=False)
    timeouts = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT, "socket_keepalive": True}
    queue = Queue(settings.queue_name, max_priority=MAX_PRIORITY if settings.uses_rabbitmq else None)  # type: ignore[no-untyped-call]
    app.conf.update(
        task_queues=[queue],
        task_default_queue=settings.queue_name,
        broker_transport_options={}
        if settings.uses_rabbitmq
        else {"visibility_timeout": 2 * settings.timeout, **timeouts},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        control_exchange="kokoro",
        # Never pickle, which would run what a stranger stores; msgpack, because JSON cannot carry bytes of sound.
        accept_content=["json"],
        result_serializer="msgpack",
        result_accept_content=["msgpack"],
        result_expires=settings.expires,
        redis_socket_timeout=SOCKET_TIMEOUT,
        redis_socket_connect_timeout=SOCKET_TIMEOUT,
        redis_socket_keepalive=True,
        # A machine that dies leaves its task unacknowledged: the broker gives it to another.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Reports STARTED with the machine's name, by which a front server knows which tasks were lost with a machine.
        task_track_started=True,
        # No machine reserves tasks beyond its threads while others are idle.
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # results are delivered after a reconnect
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app
