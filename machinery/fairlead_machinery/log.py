"""
Logs: a constant event and key-value pairs; JSON lines on standard error, readable text on a terminal.

Modules call ``structlog.get_logger(__name__)``; the program calls :func:`configure` once.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import orjson
import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _json(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def configure(level: str = "info", *, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """
    Set up logging for the whole process.

    Args:
        level: One of :data:`LEVELS`.
        stream: Where to; standard error by default.
        as_json: By default unless the stream is a terminal.

    Raises:
        ValueError: The level is unknown.
    """
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    target = stream if stream is not None else sys.stderr
    plain = not target.isatty() if as_json is None else as_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    ending: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
        if plain
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module: their warnings are ours to see.
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), stream=target, force=True)
