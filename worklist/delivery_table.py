"""Deliveries as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from screening.domain.delivery import DeliveryState
from screening.records.deliveries import Delivery
from worklist.plain_text import plain


def write_deliveries(found: Sequence[Delivery]) -> str:
    """Return a line for each delivery, and what prevents it."""
    if not found:
        return "Nothing is on its way.\n"
    return "".join(map(_line, found))


def _line(delivery: Delivery) -> str:
    about = f"{delivery.study_instance_uid} to {delivery.destination}: {delivery.state.value}"
    count = len(delivery.objects)
    objects = f"{count} object{'' if count == 1 else 's'} acknowledged"
    if delivery.state is DeliveryState.DUE and delivery.taken_at is not None:
        objects += f", being sent since {delivery.taken_at.astimezone():%H:%M:%S %Z}"
    elif delivery.state is DeliveryState.DUE:
        when = f"{delivery.due_at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
        objects += f", attempt {delivery.attempts + 1} at {when}"
    why = f"\n    {plain(delivery.last_error)}" if delivery.last_error else ""
    return f"{about}, {objects}{why}\n"
