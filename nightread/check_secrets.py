"""The doctor looks at who may read the secrets."""

from __future__ import annotations

from collections.abc import Iterator

from nightread.finding import Finding, ok, warn
from screening.secret_files import open_to_others, secret_names
from screening.settings_source import find_sources


def check_secrets() -> Iterator[Finding]:
    """Count the files of secrets, and name those that are anybody's to read."""
    folder = find_sources().secrets_dir
    if folder is None:
        return
    exposed = open_to_others(folder)
    if exposed:
        names = ", ".join(map(str, exposed))
        yield warn("secrets", f"every user of this machine can read {names}: chmod o= them")
    else:
        yield ok("secrets", f"{len(secret_names(folder))} in {folder}")
