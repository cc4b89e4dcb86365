"""Text in the many character sets that DICOM allows.

Decoding never fails: an unknown Specific Character Set, or bytes that do not fit the declared one,
give replacement characters or the nearest guess, since an image must not be lost to its label.
"""

from __future__ import annotations

import codecs
import re

from pydicom.charset import CODES_TO_ENCODINGS, handled_encodings, python_encoding

_ESCAPE = b"\x1b"
_RUNS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
# PS3.5 6.1.2.5.3: each of these returns to the first character set.
_RESETS = re.compile(rb"[\\^=\r\n\f\t]")

# Control characters, and lone surrogates, which PostgreSQL refuses as it refuses NUL.
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

UNDECLARED = ""
"""Stands for the default repertoire (ISO IR 6), and for a character set that nobody knows."""


def _key(term: str) -> str:
    # Seen in the wild: ISO-IR 100, ISO_IR_100, iso ir 100, ISO 2022-IR 87.
    return re.sub(r"[^A-Z0-9]", "", term.upper())


_ASCII_TERMS = ("", "ISO_IR 6", "ISO 2022 IR 6")
_CODECS = {_key(term): codec for term, codec in python_encoding.items() if term not in _ASCII_TERMS}


def _codec(term: str) -> str:
    name = _CODECS.get(_key(term), UNDECLARED)
    try:
        return name and codecs.lookup(name).name and name
    except LookupError:
        return UNDECLARED


def encodings_of(specific_character_set: bytes) -> tuple[str, ...]:
    """Return the Python codecs that a value of Specific Character Set (0008,0005) asks for.

    Parameters
    ----------
    specific_character_set
        The value as encoded: defined terms of PS3.3 C.12.1.1.2, separated by backslashes. Their
        spelling may be off; terms that nobody knows are `UNDECLARED`.

    Returns
    -------
    tuple of str
        At least one; the first is used where no escape sequence says otherwise.
    """
    terms = specific_character_set.decode("ascii", "replace").strip(" \0").split("\\")
    return tuple(_codec(term) for term in terms)


def _decode_plain(value: bytes, encoding: str) -> str:
    if encoding != UNDECLARED:
        return value.decode(encoding, "replace")
    try:
        # Senders that declare nothing and send more than ASCII send UTF-8 or Latin-1.
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _decode_run(run: bytes, encodings: tuple[str, ...]) -> str:
    if not run.startswith(_ESCAPE):
        return _decode_plain(run, encodings[0])
    length = 4 if run[1:3] in (b"$(", b"$)") else 3
    encoding = CODES_TO_ENCODINGS.get(run[:length])
    if encoding is None:
        return _decode_plain(run[length:], encodings[0])
    if encoding in handled_encodings:
        # Python's codec reads the escape sequence itself, and a delimiter may be half a character.
        return run.decode(encoding, "replace")
    text = run[length:]
    reset = _RESETS.search(text)
    end = reset.start() if reset else len(text)
    return text[:end].decode(encoding, "replace") + _decode_plain(text[end:], encodings[0])


def decode_text(value: bytes, encodings: tuple[str, ...]) -> str:
    """Return `value` as text that any of our databases can hold.

    Code extensions follow PS3.5 6.1.2.5. Control characters become spaces; backslashes, which
    separate values, are kept, and are told from second bytes of multi-byte characters.

    Parameters
    ----------
    value
        As encoded.
    encodings
        As `encodings_of` returns them.
    """
    if value.isascii() and _ESCAPE not in value:
        text = value.decode("ascii")
    elif _ESCAPE in value:
        text = "".join(_decode_run(run, encodings) for run in _RUNS.findall(value))
    else:
        text = _decode_plain(value, encodings[0])
    return text if text.isprintable() else _UNSTORABLE.sub(" ", text)
