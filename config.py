"""Settings: re-exports `kokoro_server.config`, where every setting stands with its default, unit and reason."""

from kokoro_server.config import (
    PREFIX,
    SETTINGS,
    Config,
    ConfigError,
    Setting,
    flag,
    forget_secrets,
    usable_cores,
    variable,
)

__all__ = [
    "PREFIX",
    "SETTINGS",
    "Config",
    "ConfigError",
    "Setting",
    "flag",
    "forget_secrets",
    "usable_cores",
    "variable",
]
