"""What there is to set, as a person reads it: made from the settings themselves."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from screening.settings import PREFIX, Settings
from screening.settings_source import PLACES
from screening.web_address import without_password

_HEAD = """# Settings

Made by `nightread settings --markdown` from the program itself; a test compares. What a machine has
set, and where that comes from: `nightread settings`, which shows no secret.

A setting is an environment variable, a line of the settings file, or a file of its own in the
folder of secrets; the first of these wins. A wrong or unknown one is refused at start, with what is
allowed.

| where settings are | |
|---|---|"""
_TABLE = "| setting | takes | default | meaning |\n|---|---|---|---|"

# By the end of a setting's name.
_UNITS = {
    "seconds": "seconds",
    "minutes": "minutes",
    "days": "days",
    "years": "years",
    "gigabytes": "GB",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting.

    Attributes
    ----------
    field
        Its name in the program; ``name`` is that of its variable.
    takes
        What it may be, with its unit and its limits.
    default
        As it would be written into a variable.
    meaning
        What it does and why, in Markdown.
    """

    field: str
    takes: str
    default: str
    meaning: str

    @property
    def name(self) -> str:
        """Name of its environment variable."""
        return PREFIX + self.field.upper()


def entries() -> list[Entry]:
    """Return every setting, in the order of the program."""
    schema = Settings.model_json_schema()["properties"]
    meanings = _meanings()
    return [
        Entry(
            name,
            _takes(name, schema[name]),
            as_text(field.get_default(call_default_factory=True)),
            meanings.get(name, ""),
        )
        for name, field in Settings.model_fields.items()
    ]


def reference() -> str:
    """Return the page of all settings, in Markdown."""
    lines = [_HEAD, *(_row(f"`{name}`", meaning) for name, meaning in PLACES.items())]
    rows = {
        each.field: _row(
            f"`{each.name}`", each.takes, each.default and f"`{each.default}`", each.meaning
        )
        for each in entries()
    }
    for group in _groups():
        own = [rows[name] for name in rows if name in inspect.get_annotations(group)]
        if own:
            lines += ["", f"## {inspect.getdoc(group)}".rstrip("."), "", _TABLE, *own]
    return "\n".join((*lines, ""))


def _groups() -> list[type]:
    """Return the classes that the settings are made of, in the order of their settings."""
    return [each for each in reversed(Settings.__mro__) if issubclass(each, BaseSettings)][1:]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_text(value: object) -> str:
    """Return a setting's value as it would be written into a variable; a secret's as ``***``."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return _plain(value)
        case SecretStr():
            return "***" if value else ""
        case StrEnum():
            return value.value
        case tuple():
            return ",".join(map(str, value))
        case Mapping():
            return _pairs(value)
    return without_password(str(value))


def _pairs(value: Mapping[Any, Any]) -> str:
    """Join pairs as their setting is split: addresses at commas, links at blanks."""
    if all(isinstance(place, tuple) for place in value.values()):
        return ",".join(f"{name}={host}:{port}" for name, (host, port) in value.items())
    return " ".join(f"{name}={link}" for name, link in value.items())


def _meanings() -> dict[str, str]:
    """Return the text below each field: Python keeps it in the source alone."""
    found = {}
    for group in _groups():
        (settings,) = ast.parse(inspect.getsource(group)).body
        assert isinstance(settings, ast.ClassDef)
        for field, text in itertools.pairwise(settings.body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(said))),
                ):
                    found[name] = " ".join(said.split()).replace("``", "`")
    return found


def _takes(name: str, schema: Mapping[str, Any]) -> str:
    """Say what a setting may be, from its JSON schema."""
    match schema:
        case {"type": "integer" | "number" as kind, "minimum": _, "maximum": _}:
            number = "whole number" if kind == "integer" else "number"
            limits = f"{_plain(schema['minimum'])} to {_plain(schema['maximum'])}"
            unit = _UNITS.get(name.rpartition("_")[2], "")
            return f"{number}, {limits} {unit}".strip()
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"format": "password"}:
            return "secret"
        case {"$ref": _}:
            kind = Settings.model_fields[name].annotation
            assert isinstance(kind, type)
            assert issubclass(kind, StrEnum)
            return _one_of(kind)
        case {"pattern": str(pattern)} if choices := re.fullmatch(r"\^\(([A-Z|]+)\)\$", pattern):
            return _one_of(choices[1].split("|"))
        case {"type": "array"}:
            return "list, separated by commas"
        case {"type": "object"}:
            return "list of `NAME=PLACE`"
        case {"format": "path"} | {"anyOf": [{"format": "path"}, *_]}:
            return "path"
    return "text"


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _one_of(choices: Iterable[str]) -> str:
    return ", ".join(f"`{choice}`" for choice in choices)
