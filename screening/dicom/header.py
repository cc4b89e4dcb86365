"""What an instance says of itself before its pixels: from a file to an `InstanceHeader`."""

from __future__ import annotations

import re
from pathlib import Path

from screening.dicom.charset import decode_text, encodings_of
from screening.dicom.data_set import DataSet, open_data_set
from screening.dicom.values import age_between, parse_age, parse_date, parse_integer, parse_time
from screening.domain.instance import InstanceHeader
from screening.errors import HeaderError

_SPECIFIC_CHARACTER_SET = 0x00080005
_IMAGE_TYPE = 0x00080008
_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_STUDY_INSTANCE_UID = 0x0020000D
_SERIES_INSTANCE_UID = 0x0020000E
_STUDY_DATE = 0x00080020
_STUDY_TIME = 0x00080030
_PATIENT_NAME = 0x00100010
_PATIENT_BIRTH_DATE = 0x00100030
_PATIENT_AGE = 0x00101010
_REFERRING_PHYSICIAN = 0x00080090
_CODE_MEANING = 0x00080104
_ANATOMIC_REGION_SEQUENCE = 0x00082218
_BODY_PART_EXAMINED = 0x00180015

_TEXTS = {
    "patient_id": 0x00100020,
    "issuer_of_patient_id": 0x00100021,
    "patient_sex": 0x00100040,
    "accession_number": 0x00080050,
    "study_id": 0x00200010,
    "study_description": 0x00081030,
    "modality": 0x00080060,
    "series_description": 0x0008103E,
    "protocol_name": 0x00181030,
    "view_position": 0x00185101,
    "presentation_intent": 0x00080068,
    "photometric_interpretation": 0x00280004,
    "manufacturer": 0x00080070,
    "manufacturer_model": 0x00081090,
    "station_name": 0x00081010,
    "institution": 0x00080080,
}
_LATERALITIES = (0x00200062, 0x00200060)
"""ImageLaterality, which DX has, before Laterality, which CR has."""

_STRINGS_OF_INTEGERS = {
    "series_number": 0x00200011,
    "instance_number": 0x00200013,
    "number_of_frames": 0x00280008,
}
_BINARY_INTEGERS = {
    "samples_per_pixel": 0x00280002,
    "rows": 0x00280010,
    "columns": 0x00280011,
}
_BINARY_VRS = ("US", "SS", "UL", "SL", "OB", "OW")

_WANTED = frozenset(
    {
        _SPECIFIC_CHARACTER_SET,
        _IMAGE_TYPE,
        _SOP_CLASS_UID,
        _SOP_INSTANCE_UID,
        _STUDY_INSTANCE_UID,
        _SERIES_INSTANCE_UID,
        _STUDY_DATE,
        _STUDY_TIME,
        _PATIENT_NAME,
        _PATIENT_BIRTH_DATE,
        _PATIENT_AGE,
        _REFERRING_PHYSICIAN,
        _ANATOMIC_REGION_SEQUENCE,
        _BODY_PART_EXAMINED,
        *_TEXTS.values(),
        *_LATERALITIES,
        *_STRINGS_OF_INTEGERS.values(),
        *_BINARY_INTEGERS.values(),
    }
)

_LONGEST_TEXT = 256
"""Characters. The longest legal value that we read is a PN of three groups of 64 (PS3.5 6.2)."""

_MOST_IMAGE_TYPES = 16

# Bytes before the pixels: a thousand times what is usual, and soon inflated.
_MOST_INFLATED = 1 << 25


class _Reader:
    """Reads values of one data set in its character set."""

    def __init__(self, data_set: DataSet) -> None:
        self.data_set = data_set
        self.encodings = encodings_of(data_set.value(_SPECIFIC_CHARACTER_SET, 1024))

    def values(self, tag: int) -> list[str]:
        value = self.data_set.value(tag, 4096)
        if not value:
            return [""]
        text = decode_text(value, self.encodings)
        return [_trimmed(part) for part in text.split("\\")]

    def first(self, tag: int) -> str:
        """Return the first value, empty where there is none."""
        value = self.data_set.value(tag, 4096)
        return _trimmed(decode_text(value, self.encodings).split("\\", 1)[0]) if value else ""

    def text(self, tag: int) -> str | None:
        return self.first(tag) or None

    def uid(self, tag: int) -> str | None:
        value = decode_text(self.data_set.value(tag, 4096), self.encodings).split("\\")[0].strip()
        # Cut, it could become another instance's: longer than any database key is as good as none.
        return value if 0 < len(value) <= _LONGEST_TEXT else None

    def person(self, tag: int) -> str | None:
        """Return a PN with its component groups, without the empty ends of components."""
        groups = self.first(tag).split("=")[:3]
        trimmed = [
            re.sub(r"\s*\^\s*", "^", re.sub(r"\s+", " ", group)).strip("\t ").rstrip("^ ")
            for group in groups
        ]
        return "=".join(trimmed).rstrip("=") or None

    def integer(self, tag: int, *, binary: bool) -> int | None:
        """Return the first integer, be it in the VR that PS3.6 gives or in another."""
        value, vr = self.data_set.value(tag, 64), self.data_set.vr(tag)
        if vr in _BINARY_VRS or (binary and vr in ("", "UN")):
            size = 4 if vr in ("UL", "SL") else 2
            order = "little" if self.data_set.little_endian else "big"
            whole = len(value) >= size
            number = int.from_bytes(value[:size], order)  # type: ignore[arg-type]
            return parse_integer(str(number)) if whole else None
        return parse_integer(decode_text(value, self.encodings).split("\\")[0])

    def body_part(self) -> str | None:
        examined = self.text(_BODY_PART_EXAMINED)
        if examined is None:
            item = self.data_set.first_item(_ANATOMIC_REGION_SEQUENCE, {_CODE_MEANING})
            examined = self._meaning(item) if item else None
        return examined.upper()[:_LONGEST_TEXT] if examined else None

    def _meaning(self, item: DataSet) -> str | None:
        text = decode_text(item.value(_CODE_MEANING, 4096), self.encodings)
        return text.split("\\")[0].strip()[:_LONGEST_TEXT] or None

    def image_type(self) -> tuple[str, ...]:
        values = self.values(_IMAGE_TYPE)[:_MOST_IMAGE_TYPES]
        return tuple(values) if any(values) else ()


def _trimmed(text: str) -> str:
    return text.strip()[:_LONGEST_TEXT].rstrip()


def read_header(
    path: Path, *, sop_class_uid: str | None = None, sop_instance_uid: str | None = None
) -> InstanceHeader:
    """Read the header of a DICOM file, leniently, and without its pixels.

    Text is decoded as PS3.5 6.1 says, with fallbacks that never fail; dates, times, ages and
    numbers that cannot be read are ``None``; of several values where one is due, the first counts.
    Nothing is warned of or logged, and any thread may call it.

    Parameters
    ----------
    path
        A Part 10 file, or a bare data set.
    sop_class_uid, sop_instance_uid
        The affected UIDs of the C-STORE request (PS3.7 9.1.1.1), for a data set that lacks its own.

    Returns
    -------
    InstanceHeader
        Every string is storable: no NUL or other control character, no lone surrogate, and at
        most 256 characters.

    Raises
    ------
    HeaderError
        The file is not DICOM, or one of the three UIDs without which an instance has no place
        cannot be had.
    OSError
        The file cannot be opened.
    """
    with open_data_set(path, _WANTED, _MOST_INFLATED) as data_set:
        return _header(_Reader(data_set), sop_class_uid, sop_instance_uid)


def _header(
    reader: _Reader, sop_class_uid: str | None, sop_instance_uid: str | None
) -> InstanceHeader:
    birth, study = (parse_date(reader.first(t)) for t in (_PATIENT_BIRTH_DATE, _STUDY_DATE))
    age = parse_age(reader.first(_PATIENT_AGE))
    texts = {name: reader.text(tag) for name, tag in _TEXTS.items()}
    integers = {name: reader.integer(t, binary=False) for name, t in _STRINGS_OF_INTEGERS.items()}
    integers |= {name: reader.integer(t, binary=True) for name, t in _BINARY_INTEGERS.items()}
    laterality = reader.text(_LATERALITIES[0]) or reader.text(_LATERALITIES[1])
    return InstanceHeader(
        sop_instance_uid=_required(reader, _SOP_INSTANCE_UID, sop_instance_uid),
        sop_class_uid=_required(reader, _SOP_CLASS_UID, sop_class_uid),
        study_instance_uid=_required(reader, _STUDY_INSTANCE_UID, None),
        transfer_syntax_uid=reader.data_set.transfer_syntax_uid,
        series_instance_uid=reader.uid(_SERIES_INSTANCE_UID),
        patient_name=reader.person(_PATIENT_NAME),
        patient_birth_date=birth,
        age_years=age if age is not None else age_between(birth, study),
        study_date=study,
        study_time=parse_time(reader.first(_STUDY_TIME)),
        referring_physician=reader.person(_REFERRING_PHYSICIAN),
        body_part=reader.body_part(),
        laterality=laterality,
        image_type=reader.image_type(),
        has_pixel_data=reader.data_set.has_pixels(),
        **texts,  # type: ignore[arg-type]
        **integers,  # type: ignore[arg-type]
    )


_REQUIRED = {
    _SOP_CLASS_UID: "SOPClassUID (0008,0016), Type 1 in the SOP Common module (PS3.3 C.12.1)",
    _SOP_INSTANCE_UID: "SOPInstanceUID (0008,0018), Type 1 in the SOP Common module (PS3.3 C.12.1)",
    _STUDY_INSTANCE_UID: (
        "StudyInstanceUID (0020,000D), Type 1 in the General Study module (PS3.3 C.7.2.1)"
    ),
}


def _required(reader: _Reader, tag: int, fallback: str | None) -> str:
    uid = reader.uid(tag) or fallback
    if uid:
        return uid
    broken = reader.data_set.breaks_off_at
    if broken is not None:
        raise HeaderError(
            f"the data set breaks off in element ({broken >> 16:04X},{broken & 0xFFFF:04X}), "
            f"before a usable {_REQUIRED[tag]}: the file is damaged, send it again"
        )
    raise HeaderError(
        f"the data set has no usable {_REQUIRED[tag]}: the sender must fill it in, and send again"
    )
