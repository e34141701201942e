"""Start the Wyoming server beside the HTTP server when the settings ask for one."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from config import Config
from tts.api.wyoming import Wyoming
from tts.engines.base import Engine
from tts.setup import StartFailed
from tts.setup.bounds import limits

log = logging.getLogger(__name__)


def wyoming(config: Config, engine: Engine) -> ExitStack:
    """Start the Wyoming server if WYOMING is set; leaving the returned context closes it. Raises StartupError."""
    stack = ExitStack()
    if config.WYOMING:
        try:
            server = Wyoming(engine, limits(config), config.WYOMING, config.CONNECTIONS)
        except OSError as exc:
            raise StartFailed(f"Cannot listen on {config.WYOMING}: {exc.strerror}. Set KOKORO_WYOMING.") from exc
        if config.API_KEY:
            log.warning("Wyoming has no authentication: any client that reaches %s can use it", config.WYOMING)
        stack.callback(server.close)
        server.start()
    return stack
