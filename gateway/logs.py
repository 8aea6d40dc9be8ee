"""Structured lines on standard error: JSON for machines, or for people at a terminal. One line an event, always."""

import logging
import sys
import threading
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Final

import msgspec
import structlog

from gateway.log_values import safe_traceback, safe_value

# Fields that the console's renderer would put on lines of their own, and what they are called instead.
_NAMES: Final = {"exception": "exception_text", "stack": "stack_text"}


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is logged, and in which form. Numbers and texts are never logged at any level."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.CONSOLE


def set_up(settings: LogSettings) -> None:
    """Send our lines, the libraries', and errors that nobody caught, through one form."""
    level = getattr(logging, settings.level.upper())
    shared: list[structlog.typing.Processor] = [structlog.stdlib.add_log_level, _add_time]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _make_safe, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _add_time(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Local time with its offset, so that nobody has to guess the zone."""
    event["timestamp"] = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
    return event


def _make_safe(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The last step before a line is written, for our events and the libraries'."""
    event.pop("stack_info", None)
    error = _error_of(event.pop("exc_info", None))
    safe = {_NAMES.get(name, name): safe_value(value, name) for name, value in event.items()}
    if error is not None:
        safe["traceback"] = safe_traceback(error)
    return safe


def _error_of(exc_info: Any) -> BaseException | None:
    """The error that an event carries in one of logging's ways: itself, as sys.exc_info gives it, or True for that."""
    if isinstance(exc_info, BaseException):
        return exc_info
    return (exc_info if isinstance(exc_info, tuple) else sys.exc_info())[1] if exc_info else None


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python would print of an error that ends the process, over many lines and with whatever it quotes."""
    if issubclass(kind, Exception):
        logging.getLogger("gateway").critical("an error that nobody caught", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def _log_uncaught_in_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_value is not None:
        _log_uncaught(caught.exc_type, caught.exc_value, caught.exc_traceback)
