"""The ledger on one sheet for a terminal: the counts, and the sentences that they come to."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from screening.domain.reason import Reason
from screening.records.association import Outcome
from screening.records.ledger import Ledger
from worklist.signs import moment_sign, span_sign

_LABEL = 36
_NUMBER = 10


def ledger_sheet(ledger: Ledger) -> RenderableType:
    """Return the ledger for a terminal of 80 columns or more."""
    return Group(*_parts(ledger))


def _parts(ledger: Ledger) -> Iterator[RenderableType]:
    since = f"since {moment_sign(ledger.since)}" if ledger.since else "of all that ever came"
    yield Text(f"The ledger {since}, read {moment_sign(ledger.read_at)}", style="dim")
    yield Text()
    yield from _images(ledger)
    yield Text()
    yield from _answers(ledger)
    yield Text()
    yield from _associations(ledger)
    yield Text()
    yield from _balance(ledger)
    yield _completeness(ledger)
    yield from _refusals(ledger)


def _images(ledger: Ledger) -> Iterator[Text]:
    images = ledger.images
    yield _line(0, "Images received", images.received)
    yield _line(1, "scored", images.scored)
    yield _line(1, "not scored", images.not_scored)
    for reason, count in sorted(images.reasons.items(), key=lambda item: (-item[1], item[0])):
        yield _line(2, Reason(reason).sentence, count)
    yield _line(1, "waiting", images.waiting)
    if ledger.waiting_earlier:
        yield _line(0, "Waiting since before", ledger.waiting_earlier)
    if ledger.removed:
        yield _line(0, "Pixels still here", images.received - sum(ledger.removed.values()))
        for rule, count in sorted(ledger.removed.items()):
            yield _line(1, f"removed by rule {rule}"[: _LABEL - 3], count)
    if images.conflicts:
        yield _line(0, "In conflict, kept apart", images.conflicts)


def _answers(ledger: Ledger) -> Iterator[Text]:
    answers = ledger.answers
    yield _line(0, "C-STOREs answered", answers.total)
    earlier = f"{ledger.stored_earlier} of them before" if ledger.stored_earlier else ""
    yield _line(1, "stored", answers.stored, earlier)
    yield _line(1, "duplicates, there already", answers.duplicates)
    yield _line(1, "conflicts", answers.conflicts)
    yield _line(1, "refused", answers.refused)


def _associations(ledger: Ledger) -> Iterator[Text]:
    yield _line(0, "Associations", sum(ledger.associations.values()))
    for outcome in Outcome:
        if count := ledger.associations.get(outcome):
            yield _line(1, outcome.value, count)


def _balance(ledger: Ledger) -> Iterator[Text]:
    images = ledger.images
    if ledger.adds_up:
        parts = (
            f"{images.scored} scored + {images.not_scored} not scored + {images.waiting} waiting"
        )
        before = f" + {ledger.stored_earlier} before" if ledger.stored_earlier else ""
        yield Text.assemble(
            ("The ledger adds up", "green"),
            f": {images.received} received = {parts}, and {ledger.answers.stored} answered as "
            f"stored = {images.received} received{before}.",
        )
        return
    yield Text("The ledger does not add up:", style="bold red")
    for discrepancy in ledger.discrepancies:
        yield Text(f"- {discrepancy}")


def _completeness(ledger: Ledger) -> Text:
    waiting = ledger.images.waiting + ledger.waiting_earlier
    if ledger.is_complete and not ledger.answers.total:
        return Text.assemble(
            ("Nothing waits, and nothing came", "yellow"),
            ": nightread associations shows who called.",
        )
    if ledger.is_complete:
        return Text.assemble(("The night is complete", "green"), ": nothing waits for a score.")
    oldest = ledger.images.oldest_waiting_since
    waits = f", the oldest for {span_sign(ledger.read_at - oldest)}" if oldest else ""
    return Text.assemble(("The night is not complete", "yellow"), f": {waiting} waiting{waits}.")


def _refusals(ledger: Ledger) -> Iterator[Text]:
    """Say what never became an image here: only its sender can still bring it."""
    ended_ill = {Outcome.REJECTED, Outcome.ABORTED, Outcome.LOST}
    counts = [(ledger.answers.refused, "image", "refused")] if ledger.answers.refused else []
    counts += [
        (count, "association", outcome.value)
        for outcome, count in sorted(ledger.associations.items())
        if outcome in ended_ill
    ]
    parts = [f"{count} {noun}{'s' * (count > 1)} {what}" for count, noun, what in counts]
    if parts:
        yield Text(f"At the door: {', '.join(parts)}; nightread associations --refused says why.")


def _line(depth: int, label: str, count: int, remark: str = "") -> Text:
    indented = "  " * depth + label
    return Text(f"{indented:<{_LABEL}}{count:>{_NUMBER}}" + (f"   {remark}" if remark else ""))
