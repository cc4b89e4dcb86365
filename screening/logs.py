"""Logs: one line an event on stderr, with UIDs and row numbers and never a patient."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from pathlib import Path

import structlog

from screening.settings import Settings


def configure(settings: Settings) -> None:
    """Set up the logs of this process: readable in a terminal, JSON lines elsewhere."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(sys.stderr.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _quieten()


def _renderers(terminal: bool) -> list[structlog.typing.Processor]:
    if terminal:
        return [_place_of_error, structlog.dev.ConsoleRenderer()]
    return [_place_of_error, structlog.processors.JSONRenderer()]


def _place_of_error(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace an error by its type and the lines that it came through.

    Its message is left out: a library's may quote the header that it could not read.
    """
    error = event.pop("exc_info", None)
    if error is True or error == 1:
        error = sys.exc_info()
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if isinstance(error, tuple) and error[1] is not None:
        frames = traceback.extract_tb(error[2])
        event["error_type"] = type(error[1]).__name__
        event["error_at"] = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
    return event


def _quieten() -> None:
    """Silence the libraries that log what they read, headers of patients among it."""
    warnings.filterwarnings("ignore", module="pydicom")
    for name in ("pydicom", "pynetdicom", "PIL", "hl7"):
        library = logging.getLogger(name)
        library.setLevel(logging.CRITICAL)
        library.propagate = False
        library.handlers[:] = [logging.NullHandler()]
    # httpx names every address that it asks, with what is secret in it.
    for name in (
        "celery",
        "kombu",
        "amqp",
        "alembic",
        "httpx",
        "httpcore",
        "dicomweb_client",
        "highdicom",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
