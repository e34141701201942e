"""Start the Wyoming server beside the HTTP server when the settings ask for one."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from kokoro_server.config import Config
from kokoro_server.engine.base import Engine
from kokoro_server.setup import StartupError, require_extra_at_start
from kokoro_server.setup.limits import make_request_limits

log = logging.getLogger(__name__)


def start_wyoming_server(config: Config, engine: Engine) -> ExitStack:
    """Start the Wyoming server if WYOMING is set; leaving the returned context closes it. Raises StartupError."""
    stack = ExitStack()
    if config.WYOMING:
        require_extra_at_start("wyoming", "Wyoming clients")
        from kokoro_server.wyoming.server import WyomingServer  # here, because the extra may be missing

        try:
            server = WyomingServer(engine, make_request_limits(config), config.WYOMING, config.CONNECTIONS)
        except OSError as exc:
            raise StartupError(f"Cannot listen on {config.WYOMING}: {exc.strerror}. Set KOKORO_WYOMING.") from exc
        if config.API_KEY:
            log.warning("Wyoming has no authentication: any client that reaches %s can use it", config.WYOMING)
        stack.callback(server.close)
        server.start()
    return stack
