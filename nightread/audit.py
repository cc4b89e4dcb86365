"""``nightread audit``: who did what, and the proof that no entry was altered."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from nightread.tether import Parent

audit = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show the audit, prove that it is whole, send it on.",
)


@audit.command()
def show(
    study: Annotated[str, typer.Option(help="Only of this Study Instance UID.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List entries, the newest first."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.audit import read_audit
    from screening.settings_source import load_settings
    from worklist.objects import audit_object
    from worklist.plain_text import plain

    with opened(load_settings()) as records, records.read() as session:
        found = read_audit(session, limit=limit, study_instance_uid=study or None)
    if as_json:
        write_json([audit_object(entry) for entry in found])
        return
    for entry in found:
        words = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}  {entry.actor}  {entry.event}"
        rest = "  ".join(filter(None, (entry.study_instance_uid, entry.detail)))
        write(plain(f"{words}  {rest}") + "\n")


@audit.command()
def verify(
    digest: Annotated[
        str, typer.Option("--digest", help="One that was printed before: is it still in there?")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Follow the chain from its first entry to its last; the exit code is 1 if it is broken.

    Keep the digest that it prints: given back later, it also proves that no entry was cut off.
    """
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records import audit as records_audit
    from screening.settings_source import load_settings

    if digest and not re.fullmatch("[0-9a-f]{64}", digest):
        raise typer.BadParameter("a digest has 64 hexadecimal digits", param_hint="--digest")
    with opened(load_settings()) as records, records.read() as session:
        state = records_audit.verify(session)
        holds = not digest or records_audit.holds(session, digest)
    if as_json:
        write_json(
            {
                "whole": state.is_whole and holds,
                "entries": state.entries,
                "digest": state.digest,
                "broken_at": state.broken_at,
                "holds_digest": holds if digest else None,
            }
        )
    elif not state.is_whole:
        write(f"BROKEN at entry {state.broken_at}: it does not follow from the one before.\n")
    elif not holds:
        write("BROKEN: the entry with that digest is not there any more.\n")
    else:
        write(f"Whole: {state.entries} entries, the last with digest {state.digest}\n")
    raise typer.Exit(0 if state.is_whole and holds else 1)


@audit.command()
def relay(
    once: Annotated[
        bool, typer.Option("--once", help="Send what has not been sent, and end.")
    ] = False,
    parent: Parent = 0,
) -> None:
    """Send the audit to the repository that NIGHTREAD_AUDIT_SYSLOG names, until stopped.

    Each entry becomes a DICOM audit message (PS3.15 A.5) over syslog and TLS, in order, at least
    once. nightread up starts it where a repository is set.
    """
    from nightread.relaying import relay_audit
    from screening.tether import tie_to

    tie_to(parent)
    relay_audit(once=once)
