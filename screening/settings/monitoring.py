"""Where a monitor asks each process, and what the logs tell."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from screening.settings.values import CONFIG


class MonitoringSettings(BaseSettings):
    """Ports for a monitor, and the logs."""

    model_config = CONFIG

    watch_host: str = "127.0.0.1"
    """Address at which processes answer a monitor (docs/watching.md): to anybody who reaches it."""

    listener_watch_port: int = Field(default=0, ge=0, le=65535)
    """TCP port of the listener's ``/healthz``, ``/readyz`` and ``/metrics``. 0: none."""

    worker_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the worker."""

    worklist_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the worklist."""

    courier_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the courier."""

    night_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the night."""

    adt_watch_port: int = Field(default=0, ge=0, le=65535)
    """TCP port of the feed's ``/healthz``, ``/readyz`` and ``/metrics``. 0: none."""

    relay_watch_port: int = Field(default=0, ge=0, le=65535)
    """The same for the relay of the audit."""

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """DEBUG, INFO, WARNING or ERROR."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_level(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        return value.upper() if isinstance(value, str) else value
