"""What a scoring process and its reader say to each other: JSON, and pixels as they are.

Nothing is unpickled: the reader handles bytes that nobody trusts, and what it says is data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.input_settings import InputSettings
from models.transforms import PreparedImage
from screening.domain.quality import Quality
from screening.domain.reason import Exclusion, Reason
from worker.reading import Excluded, Failed, Reading, Ready, Request


def send_start(line: Connection, inputs: Sequence[InputSettings], minimum_age: float) -> None:
    """Tell a reader whom it reads for."""
    _send(line, {"inputs": [asdict(each) for each in inputs], "minimum_age_years": minimum_age})


def take_start(line: Connection) -> tuple[list[InputSettings], float]:
    """Return what `send_start` said."""
    told = json.loads(line.recv_bytes())
    return [InputSettings(**each) for each in told["inputs"]], told["minimum_age_years"]


def send_ready(line: Connection) -> None:
    """Say that requests can come."""
    _send(line, {})


def take_ready(line: Connection) -> None:
    """Take what `send_ready` said.

    Raises
    ------
    EOFError
        If the reader has ended.
    """
    line.recv_bytes()


def send_request(line: Connection, request: Request) -> None:
    """Ask a reader for an image."""
    _send(line, {**asdict(request), "path": str(request.path)})


def take_request(line: Connection) -> Request:
    """Return what `send_request` asked for.

    Raises
    ------
    EOFError
        If nobody will ask any more.
    """
    told = json.loads(line.recv_bytes())
    return Request(**{**told, "path": Path(told["path"])})


def send_reading(line: Connection, reading: Reading) -> None:
    """Answer a request."""
    match reading:
        case Failed():
            _send(line, {"error": reading.error, "counts": reading.counts})
        case Excluded(exclusion, quality):
            seen = None if quality is None else asdict(quality)
            _send(
                line,
                {"reason": exclusion.reason, "detail": exclusion.detail, "quality": seen},
            )
        case Ready(image, quality, reduced, shadow):
            told = {"image": _about(image), "shadow": _about(shadow), "quality": asdict(quality)}
            _send(line, {**told, "reduced": reduced})
            for item in (image, shadow):
                if isinstance(item, PreparedImage):
                    line.send_bytes(item.tensor.numpy().tobytes())


_Item = PreparedImage | Exclusion | None


def _about(item: _Item) -> list[int] | list[str] | None:
    """Return what is said of an item before its pixels, if it has any."""
    match item:
        case PreparedImage():
            return [item.tensor.shape[-1], item.left, item.top, item.width, item.height]
        case Exclusion():
            return [item.reason.value, item.detail]
    return None


def take_reading(line: Connection) -> Reading:
    """Return what `send_reading` answered.

    Raises
    ------
    EOFError
        If the reader has ended.
    """
    told = json.loads(line.recv_bytes())
    if "error" in told:
        return Failed(told["error"], told["counts"])
    quality = Quality(**told["quality"]) if told["quality"] else None
    if "reason" in told:
        return Excluded(Exclusion(Reason(told["reason"]), told["detail"]), quality)
    if quality is None:
        raise ValueError("an image comes with its quality")
    image, shadow = _item(line, told["image"]), _item(line, told["shadow"])
    if not isinstance(image, PreparedImage):
        raise TypeError("an image that is ready comes with its pixels")
    return Ready(image, quality, told["reduced"], shadow)


def _item(line: Connection, about: list[Any] | None) -> _Item:
    if about is None:
        return None
    if isinstance(about[0], str):
        return Exclusion(Reason(about[0]), about[1])
    side, *place = about
    values = np.frombuffer(bytearray(line.recv_bytes()), np.float32).reshape(1, side, side)
    return PreparedImage(torch.from_numpy(values), *place)


def _send(line: Connection, told: dict[str, object]) -> None:
    line.send_bytes(json.dumps(told).encode())
