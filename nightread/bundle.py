"""``nightread bundle``: lists model bundles, shows one, and makes one of others' weights."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.bundle import Bundle

bundle = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List and show classifiers, import or average them.",
)


class Pixels(StrEnum):
    """How a checkpoint's training gave it pixels: the names of :data:`models.importing.PIXELS`."""

    IMAGENET = "imagenet"
    SYMMETRIC = "symmetric"
    UNIT = "unit"


@bundle.command("list")
def list_shipped(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the bundles that ship with Nightread."""
    from models.bundle import list_bundles
    from nightread.terminal import write, write_json

    found = list_bundles()
    if as_json:
        write_json(
            [
                {
                    "name": item.name,
                    "version": item.version,
                    "description": item.description,
                    "path": str(item.path),
                    "weights_sha256": item.digest,
                }
                for item in found
            ]
        )
    else:
        write("".join(f"{item.name} {item.version}: {item.description}\n" for item in found))


@bundle.command()
def show(
    name: Annotated[str, typer.Argument(help="A shipped bundle, or a bundle's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write the metadata.")] = False,
) -> None:
    """Show a bundle's card."""
    from models.bundle import read_bundle
    from nightread.terminal import write, write_json

    found = read_bundle(name)
    if as_json:
        write_json(found.metadata)
    else:
        write(_card(found))


def _card(found: Bundle) -> str:
    """Return a bundle's card; what somebody wrote in it cannot act on the terminal."""
    from models.card import render_card
    from worklist.plain_text import plain

    card = render_card(found.metadata)
    lines = (line if line.isprintable() else plain(line) for line in card.split("\n"))
    return "\n".join(lines)


@bundle.command("import")
def import_(
    network: Annotated[str, typer.Argument(help="resnet18, vgg16, ...; a wrong one lists all.")],
    checkpoint: Annotated[Path, typer.Argument(help="A .pth of tensors, or a .safetensors.")],
    out: Annotated[Path, typer.Option(help="New folder for the bundle.")],
    name: Annotated[str, typer.Option(help="Of the bundle [the folder's].")] = "",
    size: Annotated[
        int | None, typer.Option(help="Side of its images in pixels [as published].")
    ] = None,
    pixels: Annotated[
        Pixels, typer.Option(help="As it was trained: ImageNet's mean, [-1, 1] or [0, 1].")
    ] = Pixels.IMAGENET,
    fracture_output: Annotated[
        int, typer.Option(min=0, max=1, help="Which of its outputs is the fracture.")
    ] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Labelled set, to calibrate on its validation split.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Where a CSV's paths start [its own folder].")
    ] = None,
) -> None:
    """Make a bundle of a checkpoint that was trained elsewhere.

    Without --data its number is no probability and its thresholds are 0.5: the card says so.
    """
    from models.importing import ImportSettings, import_checkpoint
    from nightread.terminal import progress, remark, remarks

    settings = ImportSettings(network, pixels.value, fracture_output, size)
    with progress(remarks()) as bar:
        task = bar.add_task("calibrating", total=None, visible=data is not None)
        import_checkpoint(
            settings,
            checkpoint,
            out,
            name=name,
            data=data,
            root=root,
            on_image=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if data is None:
        remark("not calibrated: its number is no probability; give --data to choose thresholds")
    remark(f"imported; to score with it: NIGHTREAD_MODEL={out} nightread up")


@bundle.command()
def average(
    members: Annotated[
        list[str], typer.Argument(help="Bundles of one network, each trained on from another.")
    ],
    data: Annotated[Path, typer.Option(help="Labelled set, to calibrate on its validation split.")],
    out: Annotated[Path, typer.Option(help="New folder for the bundle.")],
    recipe: Annotated[
        str, typer.Option(help="Whose input and card it takes.")
    ] = "mobilenet_v2_512",
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "0.1.0",
) -> None:
    """Make one bundle of the mean of several bundles' weights."""
    from models.averaging import average_bundles
    from nightread.terminal import remark

    average_bundles(members, recipe, data, out, version)
    remark(f"averaged; to score with it: NIGHTREAD_MODEL={out} nightread up")
