"""Values as the JSON files of this project hold them."""

from __future__ import annotations

import json


def json_bytes(value: object) -> bytes:
    """Return a value as JSON for people to read too: indented, with a newline at the end."""
    return (json.dumps(value, indent=2) + "\n").encode()
