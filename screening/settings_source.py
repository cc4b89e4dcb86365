"""Where the settings come from: the environment, and the file that it names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from screening.errors import SettingsError
from screening.settings import PREFIX, Settings

_SETTINGS_FILE = "NIGHTREAD_SETTINGS_FILE"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any setting's own type
    """Build the settings of this process.

    Parameters
    ----------
    **overrides
        Settings from the command line, which win over the environment and the file.

    Raises
    ------
    SettingsError
        If a setting is wrong, unknown to us, or its file is missing: each wrong one with its name,
        its value and what is allowed.
    """
    file = _settings_file()
    _refuse_unknown(file)
    try:
        return Settings(_env_file=file, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def _settings_file() -> Path | None:
    named = os.environ.get(_SETTINGS_FILE)
    if named is None:
        return Path("nightread.env")
    if not Path(named).is_file():
        raise SettingsError(
            f"{_SETTINGS_FILE}={named}: there is no such file; name one, or unset the variable"
        )
    return Path(named)


def _refuse_unknown(file: Path | None) -> None:
    """Refuse a misspelt setting, which would otherwise be a silent default."""
    from dotenv import dotenv_values

    names = set(os.environ) | set(dotenv_values(file) if file else ())
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {_SETTINGS_FILE}
    # The tests' own variable is no setting of a process.
    named = {name for name in names if name.startswith(PREFIX)} - {"NIGHTREAD_TEST_DATA"}
    unknown = sorted(named - known)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(known))}"
        )


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            name = PREFIX + str(problem["loc"][0]).upper()
            message = f"{name}={_without_password(str(problem['input']))}: {message}"
        lines.append(message)
    return "; ".join(lines)


def _without_password(value: str) -> str:
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", value)
