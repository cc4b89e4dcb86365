"""``nightread deliveries`` and ``nightread resend``: what went back to the PACS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from screening.domain.delivery import DeliveryState

if TYPE_CHECKING:
    from screening.settings import Settings


def deliveries(
    state: Annotated[
        list[DeliveryState] | None,
        typer.Option(help="Only those; may be repeated. By default what has not arrived."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what has arrived.")] = False,
    destination: Annotated[str, typer.Option(help="Only of this destination.")] = "",
    study: Annotated[str, typer.Option(help="Only of this Study Instance UID.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List results that have not arrived at the PACS, and why."""
    from nightread.administration import now
    from nightread.database import opened
    from nightread.terminal import remark, write, write_json
    from screening.domain.counted import counted
    from screening.records.changes import changes_waiting
    from screening.records.deliveries import count_deliveries, deliveries_of, list_deliveries
    from screening.settings_source import load_settings
    from worklist.delivery_table import write_deliveries
    from worklist.objects import delivery_object

    states = state or ([] if everything else [DeliveryState.DUE, DeliveryState.DEAD])
    settings = load_settings()
    with opened(settings) as records, records.read() as session:
        if study:
            found = deliveries_of(session, study)
        else:
            found = list_deliveries(
                session, states=states, destination=destination, limit=limit or None
            )
        counts = count_deliveries(session)
        untold = changes_waiting(session, now())
    if as_json:
        write_json([delivery_object(each) for each in found])
        return
    write(write_deliveries(found))
    told = [f"{name}: {count} {which.value}" for (name, which), count in sorted(counts.items())]
    if untold:
        told.append(f"{counted(untold, 'study', 'studies')} to be told by {_teller(settings)}")
    remark("; ".join(told) or "nothing was sent yet: NIGHTREAD_DESTINATIONS_FILE")


def _teller(settings: Settings) -> str:
    if settings.destinations_file is None:
        return "nobody from here: NIGHTREAD_DESTINATIONS_FILE names no file"
    return "nightread up (or nightread deliver) next"


def resend(
    study: Annotated[
        list[str] | None, typer.Argument(help="Study Instance UID; several are possible.")
    ] = None,
    destination: Annotated[
        list[str] | None,
        typer.Option(help="To this one; may be repeated. By default to each PACS that wants it."),
    ] = None,
    undelivered: Annotated[
        bool,
        typer.Option("--undelivered", help="Instead, try now whatever has not arrived anywhere."),
    ] = False,
) -> None:
    """Send the results of studies to the PACS once more.

    What has arrived before is replaced there, never doubled. People and programs that are told in
    words are told again only if --destination names them.
    """
    if bool(study) == undelivered:
        raise typer.BadParameter("name studies, or --undelivered")
    from nightread.administration import now
    from nightread.database import opened
    from nightread.terminal import remark
    from pacs.destinations import read_destinations
    from screening.errors import DeliveryError, SettingsError
    from screening.records.cases import find_case
    from screening.records.deliveries import hasten
    from screening.records.deliveries import resend as send_again
    from screening.records.removals import is_any_gone
    from screening.settings_source import load_settings

    settings = load_settings()
    if settings.destinations_file is None:
        raise SettingsError("NIGHTREAD_DESTINATIONS_FILE names no file: there is nobody to send to")
    known = read_destinations(settings.destinations_file, settings.ae_title)
    if strangers := set(destination or ()) - set(known.names):
        raise DeliveryError(
            f"there is no destination {', '.join(sorted(strangers))}: {', '.join(known.names)}"
        )
    with opened(settings) as records, records.begin() as session:
        if undelivered:
            count = hasten(session, destination or known.names, now())
            remark(f"{count} deliveries are due now: nightread deliveries")
        for uid in study or ():
            case = find_case(session, uid)
            if case is None:
                raise DeliveryError(f"no image of study {uid} was received")
            if is_any_gone(session, uid):
                raise DeliveryError(
                    f"pixels of study {uid} were removed by a rule, and its results cannot be made "
                    "without them: have the PACS send it again first"
                )
            chosen = destination or [
                each.name
                for each in known.destination
                if each.wants(case.verdict.value, case.calling_ae_title)
            ]
            send_again(session, uid, chosen, now())
            remark(f"{uid} is due now at {', '.join(chosen) or 'no destination: none wants it'}")
