"""The Wyoming server beside HTTP, where the settings ask for one."""

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
    """The Wyoming server that the settings ask for, if any, until the block ends. Raises StartFailed."""
    stack = ExitStack()
    if config.WYOMING:
        try:
            server = Wyoming(engine, limits(config), config.WYOMING, config.CONNECTIONS)
        except OSError as exc:
            raise StartFailed(f"Cannot listen on {config.WYOMING}: {exc.strerror}. Set KOKORO_WYOMING.") from exc
        if config.API_KEY:
            log.warning("Wyoming knows no keys: whoever reaches %s may have this server speak", config.WYOMING)
        stack.callback(server.close)
        server.start()
    return stack
