"""The hidden option by which a process is told whose end is its own."""

from __future__ import annotations

from typing import Annotated

import typer

Parent = Annotated[
    int, typer.Option("--parent", hidden=True, help="Process whose end is the end of this one.")
]
