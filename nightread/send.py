"""``nightread send``: a C-STORE SCU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pacs.peer import Peer
    from pacs.send import Sent
    from pacs.survey import LeftOut, Part10File


def send(
    paths: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    host: Annotated[str, typer.Option(help="Where the receiver listens [our own].")] = "",
    port: Annotated[int, typer.Option(help="Its port [our own].")] = 0,
    aet: Annotated[str, typer.Option(help="Its AE title, which is called [our own].")] = "",
    calling: Annotated[str, typer.Option(help="The AE title that calls.")] = "NIGHTREAD_SCU",
    as_json: Annotated[bool, typer.Option("--json", help="Write a list to stdout.")] = False,
) -> None:
    """Send DICOM files to a PACS, or to ourselves (C-STORE).

    Files go as they are, in their own transfer syntax. The exit code is 1 if anything was not
    accepted.
    """
    from nightread.own_address import own_address
    from nightread.terminal import write_json
    from pacs.peer import Peer
    from pacs.survey import LeftOut, survey
    from screening.errors import SettingsError
    from screening.settings_source import load_settings

    settings = load_settings()
    if not port and not settings.dicom_port:
        raise SettingsError(
            "NIGHTREAD_DICOM_PORT=0: our listener speaks TLS alone, and nightread send does not; "
            "name the receiver with --host and --port"
        )
    peer = Peer(
        host or own_address(settings.dicom_host),
        port or settings.dicom_port,
        aet or settings.ae_title,
        calling,
    )
    found = list(survey(paths))
    left_out = [item for item in found if isinstance(item, LeftOut)]
    sent = send_with_progress([item for item in found if not isinstance(item, LeftOut)], peer)
    if as_json:
        write_json([*map(_sent_row, sent), *map(_left_out_row, left_out)])
    _summarise(sent, left_out, peer)
    failed = not found or not all(item.accepted for item in sent)
    if failed or not all(item.is_index for item in left_out):
        raise typer.Exit(1)


def _go_on() -> bool:
    return True


def send_with_progress(
    files: Sequence[Part10File], peer: Peer, wanted: Callable[[], bool] = _go_on
) -> list[Sent]:
    """Send files with a progress bar on stderr.

    An association that cannot be had ends it: what is left counts as not sent.

    Parameters
    ----------
    files, peer
        What to send, and to whom.
    wanted
        Asked after each file: false ends it.

    Raises
    ------
    SendError
        If it cannot be had at the very beginning.
    """
    from nightread.terminal import progress, remarks
    from pacs.send import Sent
    from pacs.send import send as send_files
    from screening.errors import SendError

    sent: list[Sent] = []
    with progress(remarks()) as bar:
        task = bar.add_task(f"sending to {peer}", total=len(files))
        try:
            for item in send_files(files, peer):
                sent.append(item)
                bar.advance(task)
                if not wanted():
                    break
        except SendError as error:
            if not sent:
                raise
            sent += [
                Sent(file.path, file.sop_instance_uid, None, accepted=False, explanation=str(error))
                for file in files[len(sent) :]
            ]
    return sent


def _sent_row(item: Sent) -> dict[str, object]:
    return {
        "path": str(item.path),
        "sop_instance_uid": item.sop_instance_uid,
        "status": None if item.status is None else f"0x{item.status:04X}",
        "accepted": item.accepted,
        "explanation": item.explanation,
    }


def _left_out_row(item: LeftOut) -> dict[str, object]:
    nothing = {"sop_instance_uid": None, "status": None, "accepted": False}
    return {"path": str(item.path), **nothing, "explanation": item.why}


def _summarise(sent: Sequence[Sent], left_out: Sequence[LeftOut], peer: Peer) -> None:
    from nightread.terminal import remark

    for item in sent:
        if item.explanation:
            remark(f"{item.path}: {item.explanation}")
    for missing in left_out:
        remark(f"{missing.path}: {missing.why}")
    statuses = Counter(_status(item) for item in sent)
    parts = [f"{count} {status}" for status, count in sorted(statuses.items())]
    if left_out:
        parts.append(f"{len(left_out)} left out")
    remark(f"{peer}: {', '.join(parts) or 'no files found'}")


def _status(item: Sent) -> str:
    if item.status is None:
        return "not sent"
    return "accepted (0x0000)" if item.status == 0 else f"answered 0x{item.status:04X}"
