"""Structured logs on stderr: a line of JSON for machines, a readable one on a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from pipeline.identity import bare


def configure(*, verbose: bool = False) -> None:
    """Send every log line to stderr; stdout is for data."""
    level = logging.DEBUG if verbose else logging.INFO
    last = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_credentials,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    # kafka-python reports every reconnection of a broker that restarts; the line reports what follows from it.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def _without_credentials(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take names and passwords out of every address that is logged, wherever it came from."""
    return {key: bare(value) if isinstance(value, str) else value for key, value in event.items()}
