"""Screens and pipes: results go to stdout, progress and remarks to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from worklist.plain_text import plain

# Wide enough for every column of the list of cases: a file has no edge to wrap at.
_FILE_WIDTH = 180


def results() -> Console:
    """Return the console on stdout; in a pipe or a file it is wide and without colour."""
    return Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)


def remarks() -> Console:
    """Return the console on stderr."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _FILE_WIDTH, highlight=False)


def print_result(*parts: RenderableType) -> None:
    """Print tables and text to stdout."""
    console = results()
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=False)
    write(captured.get())


def remark(text: str) -> None:
    """Print a line to stderr; what came from outside cannot act on the terminal."""
    typer.echo(plain(text), err=True)


def progress(console: Console) -> Progress:
    """Return a progress bar on stderr that vanishes when done, and shows nothing in a log."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def write(text: str) -> None:
    """Write a result to stdout, and end quietly if its reader has gone (``| head``)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def write_json(value: Any) -> None:  # noqa: ANN401 - anything JSON holds
    """Write a result as JSON, of ASCII alone: no terminal acts on what a name contains."""
    write(json.dumps(value, indent=2) + "\n")
