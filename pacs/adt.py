"""What a hospital's feed says of patients: HL7 version 2, ADT^A40 and A47, and our answers.

HL7 2.5.1, 3.3.40: the identifier in MRG-1 was wrong and becomes that of PID-3 of the same kind.
Nothing of a patient is in an answer, an error or a log.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import hl7

from pacs.hl7_text import escaped
from screening.dicom.values import parse_date
from screening.errors import IdentityError, RecordsError, UnrecordableError
from screening.records.feed import FeedMessage
from screening.records.filing import Demographics
from screening.records.surviving import Identifier

EVENTS = ("A40", "A47")
"""That are acted upon; others are acknowledged and change nothing."""

# HL7 table 0211, as far as Python has them in one codec.
_CHARSETS = {"": "", "ASCII": "ascii", "UNICODE UTF-8": "utf-8", "UNICODE": "utf-8"} | {
    f"8859/{part}": f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)
}
# Of HL7 table 0203, those by which a patient is known to a department; not insurance or accounts.
_KINDS = ("", "MR", "PI", "PT")
_LONGEST_NAME = 256
# A message is one transaction, which holds up the images of its patients.
_MOST_MERGES = 20
# HL7 table 0357.
_SEQUENCE, _MISSING, _DATA = 100, 101, 102
_TYPE, _PROCESSING, _INTERNAL = 200, 202, 207


class _AnswerError(Exception):
    """Why a message is not taken.

    Parameters
    ----------
    code
        Of HL7 table 0008: ``AE`` where another attempt may do, ``AR`` where it is not for us.
    number
        Of HL7 table 0357.
    text
        For the sender's log.
    """

    def __init__(self, code: str, number: int, text: str) -> None:
        super().__init__(text)
        self.code, self.number, self.text = code, number, text


@dataclass(frozen=True, slots=True)
class Feed:
    """Whose messages are taken, and which identifiers are those of images.

    Attributes
    ----------
    applications
        MSH-3 of those who may send; empty for all.
    authority
        The assigning authority (CX.4) of the identifiers that images carry without an issuer.
    """

    applications: tuple[str, ...]
    authority: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement, and what is logged of it."""

    content: bytes
    code: str
    event: str
    changes: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Header:
    """What an answer repeats of a message."""

    application: str = ""
    facility: str = ""
    event: str = ""
    control_id: str = ""


def answer(content: bytes, feed: Feed, take: Callable[[FeedMessage], int]) -> Answer:
    """Act upon a message and return what is answered.

    Parameters
    ----------
    content
        Of one frame.
    take
        Does what it says, durably, and returns how many changes it was; raises `IdentityError` or
        `RecordsError`.
    """
    header = _Header()
    try:
        message = _parsed(content)
        header = _header(message)
        told = _told(message, header, content, feed)
        changes = take(told) if told is not None else 0
    except _AnswerError as error:
        return _answer(header, error.code, error.number, error.text)
    except IdentityError as error:
        return _answer(header, "AE", _DATA, str(error))
    except UnrecordableError:
        return _answer(header, "AR", _DATA, "it holds what no database takes, as a NUL")
    except RecordsError:
        return _answer(header, "AE", _INTERNAL, "the database does not answer: send it again")
    return _answer(header, "AA", changes=changes)


def _parsed(content: bytes) -> hl7.Message:
    if not content.startswith(b"MSH") or len(content) < 9:
        raise _AnswerError("AR", _SEQUENCE, "it does not begin with MSH")
    fields = re.split(rb"[\r\n]", content, maxsplit=1)[0].split(content[3:4])
    named = fields[17].split(b"~")[0].decode("ascii", "replace").strip() if len(fields) > 17 else ""
    if named not in _CHARSETS:
        raise _AnswerError("AE", _DATA, "the character set in MSH-18 is not one that is read here")
    try:
        return hl7.parse(re.sub("[\r\n]+", "\r", _decoded(content, _CHARSETS[named])))
    except UnicodeDecodeError:
        raise _AnswerError("AE", _DATA, "it is not in the character set of MSH-18") from None
    except (hl7.HL7Exception, LookupError, ValueError, AssertionError, TypeError):
        raise _AnswerError("AR", _SEQUENCE, "it cannot be read as HL7") from None


def _decoded(content: bytes, charset: str) -> str:
    if charset:
        return content.decode(charset)
    # Nothing named is ASCII; many send what they have.
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _header(message: hl7.Message) -> _Header:
    (msh, *_) = message.segments("MSH")
    kind = _components(message, msh, 9)
    return _Header(
        _first(message, msh, 3),
        _first(message, msh, 4),
        "^".join(kind[0][:2]) if kind else "",
        _first(message, msh, 10),
    )


def _told(message: hl7.Message, header: _Header, content: bytes, feed: Feed) -> FeedMessage | None:
    """Return what a message asks for, ``None`` where that is nothing to us."""
    if feed.applications and header.application not in feed.applications:
        raise _AnswerError(
            "AR", _TYPE, "the sending application is not listed in NIGHTREAD_ADT_APPLICATIONS"
        )
    if not header.control_id:
        raise _AnswerError("AR", _MISSING, "it has no control identifier, MSH-10")
    kind, _, event = header.event.partition("^")
    if kind != "ADT":
        raise _AnswerError("AR", _TYPE, "ADT messages are taken here, and no others")
    if _first(message, message.segments("MSH")[0], 11) != "P":
        raise _AnswerError("AR", _PROCESSING, "only production messages, MSH-11 P, are taken")
    if event not in EVENTS:
        return None
    merges = list(_merges(message, feed))
    if len(merges) > _MOST_MERGES:
        raise _AnswerError(
            "AR", _DATA, f"it merges more than {_MOST_MERGES} patients: send several messages"
        )
    if not merges:
        raise _AnswerError(
            "AE", _MISSING, "PID-3 and MRG-1 have no two identifiers of one authority and kind"
        )
    sender = f"{header.application}^{header.facility}"
    digest = hashlib.sha256(content).hexdigest()
    return FeedMessage(sender, header.control_id, digest, event, merges)


def _merges(
    message: hl7.Message, feed: Feed
) -> Iterator[tuple[tuple[Identifier, Identifier], Demographics | None]]:
    """Yield old and new identifiers of each patient of a message, PID before its MRG."""
    pid: hl7.Segment | None = None
    for segment in message:
        name = str(segment[0])
        if name == "PID":
            pid = segment
        elif name == "MRG":
            if pid is None:
                raise _AnswerError("AE", _SEQUENCE, "MRG comes before PID")
            known = _demographics(message, pid)
            for pair in _pairs(message, pid, segment, feed):
                yield pair, known
            pid = None


def _pairs(
    message: hl7.Message, pid: hl7.Segment, mrg: hl7.Segment, feed: Feed
) -> Iterator[tuple[Identifier, Identifier]]:
    current = [_Cx.of(each) for each in _components(message, pid, 3)]
    for old in (_Cx.of(each) for each in _components(message, mrg, 1)):
        if old.kind not in _KINDS or not old.number:
            continue
        fit = [new for new in current if new.number and new.fits(old)]
        if len(fit) > 1:
            raise _AnswerError("AE", _DATA, "PID-3 has several identifiers that MRG-1 may mean")
        if fit and fit[0].number != old.number:
            for issuer in _issuers(old.authority or fit[0].authority, feed):
                yield Identifier(old.number, issuer), Identifier(fit[0].number, issuer)


def _issuers(authority: str, feed: Feed) -> tuple[str | None, ...]:
    """Return under which issuers images may have an authority's identifiers."""
    if authority in ("", feed.authority):
        return (None, feed.authority)
    return (authority,)


@dataclass(frozen=True, slots=True)
class _Cx:
    """An identifier, its assigning authority and its kind: CX.1, CX.4 and CX.5."""

    number: str
    authority: str
    kind: str

    @classmethod
    def of(cls, components: Sequence[str]) -> _Cx:
        padded = [*components, *[""] * 5]
        return cls(padded[0].strip(), padded[3].split("&")[0].strip(), padded[4].strip())

    def fits(self, old: _Cx) -> bool:
        """Say whether this can be what another became; what is not said contradicts nothing."""
        same = not (self.authority and old.authority) or self.authority == old.authority
        return (
            same and self.kind in _KINDS and (not (self.kind and old.kind) or self.kind == old.kind)
        )


def _demographics(message: hl7.Message, pid: hl7.Segment) -> Demographics | None:
    """Return name, birth date and sex; ``None`` where there is no name."""
    names = _components(message, pid, 5)
    if not names or not any(names[0]):
        return None
    family, given, middle, suffix, prefix = [*names[0], *[""] * 5][:5]
    # XPN to PN: the suffix and the prefix are the other way round.
    name = "^".join((family.split("&")[0], given, middle, prefix, suffix)).rstrip("^")
    plain = "".join(letter for letter in name if letter.isprintable())[:_LONGEST_NAME]
    sex = _first(message, pid, 8)
    return Demographics(
        plain or None,
        parse_date(_first(message, pid, 7)),
        sex if sex in ("F", "M", "O") else None,
    )


def _components(message: hl7.Message, segment: hl7.Segment, number: int) -> list[list[str]]:
    """Return the components of each repetition of a field, unescaped, subcomponents joined."""
    try:
        field = segment[number]
    except IndexError:
        return []
    found = []
    for repetition in field:
        parts = [repetition] if isinstance(repetition, str) else repetition
        found.append([_unescaped(message, str(part)) for part in parts])
    return [each for each in found if any(each)]


def _unescaped(message: hl7.Message, text: str) -> str:
    try:
        return str(message.unescape(text)) if "\\" in text else text
    except (LookupError, ValueError):
        return text


def _first(message: hl7.Message, segment: hl7.Segment, number: int) -> str:
    components = _components(message, segment, number)
    return components[0][0].strip() if components else ""


def _answer(
    header: _Header, code: str, number: int = 0, text: str = "", *, changes: int = 0
) -> Answer:
    """Return an acknowledgement, HL7 2.5.1, 2.9.2, with an ERR where it is none."""
    event = header.event.partition("^")[2]
    now = dt.datetime.now().astimezone().strftime("%Y%m%d%H%M%S%z")
    ours = uuid.uuid4().hex[:20]
    to = escaped(header.application), escaped(header.facility)
    kind = f"ACK^{escaped(event)}^ACK"
    msh = ["MSH", "^~\\&", "NIGHTREAD", "", *to, now, "", kind, ours, "P", "2.5.1"]
    msh += [""] * 5 + ["UNICODE UTF-8"]
    segments = [msh, ["MSA", code, escaped(header.control_id)]]
    if number:
        segments.append(["ERR", "", "", f"{number}^^HL70357", "E", "", "", "", escaped(text)])
    content = "".join("|".join(segment) + "\r" for segment in segments).encode()
    return Answer(content, code, event, changes, text)
