"""``nightread demo``: the whole way of an image, on this machine and with nothing set up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def demo(
    images: Annotated[
        Path | None,
        typer.Option(help="Your own files: DICOM as they are, JPEG and PNG wrapped as DX."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop when all are screened; 0 if none is missing.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the demonstration [nightread-demo].")
    ] = None,
) -> None:
    """Start everything, send samples, screen and list them."""
    from nightread.demonstration import Demonstration
    from nightread.shutdown import on_signals
    from nightread.terminal import remark

    # Two folders, so that phantoms never stand among somebody's own images.
    folder = data_dir or Path("nightread-demo-images" if images else "nightread-demo")
    with on_signals() as shutdown, Demonstration(folder, images, shutdown).running() as show:
        complete = show.screen_everything()
        if once:
            raise typer.Exit(0 if complete else 1)
        if not sys.stdin.isatty():
            remark("no terminal: serving until SIGTERM; with --once it ends by itself")
        show.serve()
