"""A file of tables (TOML), read as a whole: what is wrong is said in the file's own words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from screening.errors import SettingsError

_Model = TypeVar("_Model", bound=BaseModel)

_LISTS = ("tuple_type", "list_type")


def read_tables(file: Path, setting: str, model: type[_Model]) -> _Model:
    """Read a file of tables.

    Parameters
    ----------
    file
        TOML; each table of a kind stands under ``[[kind]]``.
    setting
        Which names the file, for the error.
    model
        What it must hold.

    Raises
    ------
    SettingsError
        If it cannot be read, or something in it cannot be meant; the message says what and where.
    """
    place = f"{setting}={file}"
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{place}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # of TOML, of its encoding, of a huge number
        raise SettingsError(f"{place} is no TOML: {error}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = _where(content, wrong["loc"])
        raise SettingsError(f"{place}: {where}{_sentence(wrong, model)}") from None


def _where(content: dict[str, Any], loc: tuple[int | str, ...]) -> str:
    """Return whose value is wrong: by its name, or by its number from 1."""
    if not loc:
        return ""
    kind, rest = str(loc[0]), list(loc[1:])
    if rest and isinstance(rest[0], int):
        number = rest.pop(0)
        assert isinstance(number, int)
        table = content[kind][number]
        name = table.get("name") if isinstance(table, dict) else None
        kind = f"{kind} {name if isinstance(name, str) and name else number + 1}"
    return ", ".join([kind, *(str(part) for part in rest[:1])]) + ": "


def _sentence(wrong: Any, model: type[BaseModel]) -> str:  # noqa: ANN401 - pydantic's
    loc = wrong["loc"]
    if wrong["type"] in _LISTS:
        if len(loc) == 1:
            return f"write [[{loc[0]}]], with two brackets"
        return 'write a list, as ["one", "two"]'
    if wrong["type"] == "extra_forbidden":
        return f"there is no such key here; known are {', '.join(_keys(model, loc))}"
    message: str = wrong["msg"]
    return message.removeprefix("Value error, ")


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table in which one was found that is none."""
    if len(loc) == 1:
        return list(model.model_fields)
    annotation = model.model_fields[str(loc[0])].annotation
    table = annotation.__args__[0]  # type: ignore[union-attr]
    return list(table.model_fields)
