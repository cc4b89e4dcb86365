"""``nightread model``: champion and shadow side by side, promotion and its way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from screening.domain.appointment import Judge, Standing
    from screening.records.promotion import Order
    from screening.settings import Settings

model = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Compare champion and shadow, promote a model, go back.",
    epilog='As: nightread model promote densenet121 --why "fewer flags on hands, see the board"',
)

_Why = Annotated[str, typer.Option(help="The reason; it stays on record.")]
_Version = Annotated[str | None, typer.Option(help="Where there are several of the name.")]
_Anyway = Annotated[
    bool, typer.Option("--anyway", help="Even if it has scored too few images here.")
]
_Name = Annotated[str, typer.Argument(help="A model that has scored here, or a bundle.")]
_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@model.command()
def show(as_json: _Json = False) -> None:
    """Show who is champion and who is shadow, and every act that made it so."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.appointments import read_acts
    from screening.records.known_models import read_standing
    from screening.settings_source import load_settings
    from worklist.model_sheet import acts_text, standing_text
    from worklist.objects import plain_object

    with opened(load_settings()) as records, records.read() as session:
        standing, acts = read_standing(session), read_acts(session)
    if as_json:
        write_json(plain_object(standing) | {"acts": [plain_object(act) for act in acts]})
    else:
        write(standing_text(standing) + acts_text(acts))


@model.command()
def compare(as_json: _Json = False) -> None:
    """Show what champion and shadow make of the same images, each by its own points."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.settings_source import load_settings
    from worklist.model_sheet import comparison_text
    from worklist.objects import models_object
    from worklist.side_by_side import read_models

    with opened(load_settings()) as records:
        found = read_models(records)
    if as_json:
        write_json(models_object(found))
    else:
        write(comparison_text(found))


@model.command()
def promote(name: _Name, why: _Why, version: _Version = None, anyway: _Anyway = False) -> None:
    """Make a model champion; where it was the shadow, the two swap.

    Running workers load it before their next batch. What was scored before keeps its score, its
    verdict and its model. A model that is champion already stays so, and nothing is recorded.
    """
    from nightread.terminal import remark
    from screening.records.promotion import promote as make_champion

    with _ordering(why, anyway) as (session, order, settings):
        chosen = _choose(session, settings, name, version)
        standing, changed = make_champion(session, chosen, order)
    if changed and not _in_reach(chosen, settings):
        remark(
            f"no bundle of {chosen} is within reach of this machine: a worker that lacks it too "
            "scores nothing, and its images wait (docs/models.md)"
        )
    if changed:
        remark(f"{_said(standing)}; it holds from each worker's next batch on")
    else:
        remark(f"{standing.champion} is the champion already: nothing was changed")


@model.command()
def rollback(why: _Why) -> None:
    """Make the champion of before the last promotion champion again.

    It reads nothing anew; nightread batch rescreen has it read what it has not scored.
    """
    from nightread.terminal import remark
    from screening.records.promotion import roll_back

    with _ordering(why) as (session, order, _):
        standing = roll_back(session, order)
    remark(f"{_said(standing)}; it holds from each worker's next batch on")


@model.command()
def shadow(
    why: _Why,
    name: Annotated[str, typer.Argument(help="A model or a bundle [none].")] = "",
    version: _Version = None,
) -> None:
    """Have a model score beside the champion; without a name, none."""
    from nightread.terminal import remark
    from screening.records.promotion import appoint_shadow

    with _ordering(why) as (session, order, settings):
        chosen = _choose(session, settings, name, version) if name else None
        standing, changed = appoint_shadow(session, chosen, order)
    remark(_said(standing) if changed else "it is so already: nothing was changed")


def _said(standing: Standing) -> str:
    return f"champion {standing.champion}, shadow {standing.shadow or 'none'}"


def _in_reach(model: Judge, settings: Settings) -> bool:
    from models.reach import bundles_in_reach

    return any(bundle.identity == model.identity for bundle in bundles_in_reach(settings))


@contextmanager
def _ordering(why: str, anyway: bool = False) -> Iterator[tuple[Any, Order, Settings]]:
    """Open the records for one act of whoever sits here."""
    from nightread.administration import console_actor, now
    from nightread.database import opened
    from screening.records.promotion import Order
    from screening.settings_source import load_settings

    settings = load_settings()
    with opened(settings) as records, records.begin() as session:
        yield session, Order(console_actor(), why, now(), anyway=anyway), settings


def _choose(session: Any, settings: Settings, name: str, version: str | None) -> Judge:  # noqa: ANN401
    """Return a model that has scored here; else one whose bundle is within reach."""
    from models.reach import bundles_in_reach
    from screening.domain.appointment import Judge
    from screening.errors import AppointmentError
    from screening.records.known_models import find_models
    from screening.records.promotion import choose_model

    if find_models(session, name, version):
        return choose_model(session, name, version)
    found = {
        bundle.identity: Judge(bundle.identity, bundle.settings.operating_points)
        for bundle in bundles_in_reach(settings)
        if bundle.name == name and version in (None, bundle.version)
    }
    if not found:
        raise AppointmentError(
            f"no model {name}{f' {version}' if version else ''} has scored here, and no bundle "
            "within reach is called so: put it into the folder of NIGHTREAD_MODELS_DIR"
        )
    if len(found) > 1:
        versions = ", ".join(sorted(identity.version for identity in found))
        raise AppointmentError(f"there are several bundles {name}: say which --version, {versions}")
    return next(iter(found.values()))
