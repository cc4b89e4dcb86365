"""A host, by its name or its address."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _possible(value: str) -> str:
    try:
        value.encode("idna")
    except UnicodeError:
        raise ValueError(f"{value!r} is no name of a host") from None
    if any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError(f"{value!r} is no name of a host")
    return value


Host = Annotated[str, AfterValidator(_possible)]
