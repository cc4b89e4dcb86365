"""Where the settings come from: the environment, and the files that it names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from screening.errors import SettingsError
from screening.secret_files import secret_names
from screening.settings import PREFIX, Settings
from screening.web_address import without_password

_SETTINGS_FILE = "NIGHTREAD_SETTINGS_FILE"
_SECRETS_DIR = "NIGHTREAD_SECRETS_DIR"
# Of systemd, where a unit has LoadCredential= (systemd.exec(5)).
_SYSTEMD_DIR = "CREDENTIALS_DIRECTORY"

PLACES = {
    _SETTINGS_FILE: "File of `NAME=value` lines. Empty: `nightread.env` in the working folder, "
    "where there is one. The environment wins over it.",
    _SECRETS_DIR: "Folder of files that hold one setting each and are named like it, as "
    "`nightread_database_password`; blanks around a value are left out. The environment and the "
    "settings file win over them. Empty: the folder of the unit's credentials, under systemd.",
}
"""Names that are no settings, but say where these are."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings are looked for.

    Attributes
    ----------
    file
        Of ``NAME=value`` lines, if there is one.
    named
        What it holds.
    secrets_dir
        Folder of files that hold one setting each, if there is one.
    """

    file: Path | None
    named: Mapping[str, str | None]
    secrets_dir: Path | None

    def of(self, field: str) -> str:
        """Return where a setting comes from, as a word or a file's path."""
        name = (PREFIX + field).upper()
        if name in _upper(os.environ):
            return "environment"
        if name in _upper(self.named):
            return str(self.file)
        if self.secrets_dir is not None:
            for path in self.secrets_dir.iterdir():
                if path.name.upper() == name:
                    return str(path)
        return "default"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any setting's own type
    """Build the settings of this process.

    Parameters
    ----------
    **overrides
        Settings from the command line, which win over the environment and the files.

    Raises
    ------
    SettingsError
        If a setting is wrong, unknown to us, or its file is missing, unreadable or empty: each
        wrong one with its name, its value and what is allowed. A secret's value is not named.
    """
    sources = find_sources()
    try:
        return Settings(_env_file=sources.file, _secrets_dir=sources.secrets_dir, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def find_sources() -> Sources:
    """Find where settings are, and refuse a misspelt one, which would be a silent default.

    Raises
    ------
    SettingsError
        If a file or folder is named that is not there, or a name that is no setting.
    """
    from dotenv import dotenv_values

    file = _settings_file()
    named = dotenv_values(file) if file else {}
    folder = _secrets_dir(named)
    names = {*os.environ, *named, *(secret_names(folder) if folder else ())}
    known = {PREFIX + name.upper() for name in Settings.model_fields} | set(PLACES)
    # The tests' own variable is no setting of a process.
    ours = {name for name in names if name.startswith(PREFIX)} - {"NIGHTREAD_TEST_DATA"}
    unknown = sorted(ours - known)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(known))}"
        )
    return Sources(file, named, folder)


def _settings_file() -> Path | None:
    named = os.environ.get(_SETTINGS_FILE)
    if named is None:
        usual = Path("nightread.env")
        return usual if usual.is_file() else None
    if not Path(named).is_file():
        raise SettingsError(
            f"{_SETTINGS_FILE}={named}: there is no such file; name one, or unset the variable"
        )
    return Path(named)


def _secrets_dir(named: Mapping[str, str | None]) -> Path | None:
    chosen = os.environ.get(_SECRETS_DIR) or named.get(_SECRETS_DIR)
    if not chosen:
        by_systemd = os.environ.get(_SYSTEMD_DIR)
        return Path(by_systemd) if by_systemd and Path(by_systemd).is_dir() else None
    if not Path(chosen).is_dir():
        raise SettingsError(
            f"{_SECRETS_DIR}={chosen}: there is no such folder; name one, or unset the variable"
        )
    return Path(chosen)


def _upper(named: Mapping[str, str | None]) -> set[str]:
    return {name.upper() for name in named}


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            field = str(problem["loc"][0])
            secret = Settings.model_fields[field].annotation is SecretStr
            value = "***" if secret else without_password(str(problem["input"]))
            message = f"{PREFIX}{field.upper()}={value}: {message}"
        lines.append(message)
    return "; ".join(lines)
