"""Patient, study and request, carried from an original into our objects byte by byte."""

from __future__ import annotations

import datetime as dt

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_SPECIFIC_CHARACTER_SET = 0x00080005

# Patient, Patient Study, General Study and the request, PS3.3 C.7.1.1, C.7.2.1, C.7.2.2 and
# C.7.3.1.
_CARRIED = (
    _SPECIFIC_CHARACTER_SET,
    0x00080020,  # Study Date
    0x00080030,  # Study Time
    0x00080050,  # Accession Number
    0x00080051,  # Issuer of Accession Number Sequence
    0x00080090,  # Referring Physician's Name
    0x00080201,  # Timezone Offset From UTC
    0x00081030,  # Study Description
    0x00081032,  # Procedure Code Sequence
    0x00081110,  # Referenced Study Sequence
    0x00100010,  # Patient's Name
    0x00100020,  # Patient ID
    0x00100021,  # Issuer of Patient ID
    0x00100024,  # Issuer of Patient ID Qualifiers Sequence
    0x00100030,  # Patient's Birth Date
    0x00100032,  # Patient's Birth Time
    0x00100040,  # Patient's Sex
    0x00101000,  # Other Patient IDs
    0x00101001,  # Other Patient Names
    0x00101002,  # Other Patient IDs Sequence
    0x00101010,  # Patient's Age
    0x00101020,  # Patient's Size
    0x00101030,  # Patient's Weight
    0x00102160,  # Ethnic Group
    0x0020000D,  # Study Instance UID
    0x00200010,  # Study ID
    0x00400275,  # Request Attributes Sequence
)

# Type 2 of every object: there, though empty.
_NEVER_ABSENT = {
    0x00080020: "DA",
    0x00080030: "TM",
    0x00080050: "SH",
    0x00080090: "PN",
    0x00100010: "PN",
    0x00100020: "LO",
    0x00100030: "DA",
    0x00100040: "CS",
    0x00200010: "SH",
}
# When an object was made, in the words of its kind.
_MOMENTS = (
    ("ContentDate", "ContentTime"),
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("PresentationCreationDate", "PresentationCreationTime"),
    ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
)

# Of a request, PS3.3 Table C.17-2: type 2 but for the study's UID and the accession number.
_OF_REQUEST = {
    0x00080050: "SH",  # Accession Number
    0x00080051: "SQ",  # Issuer of Accession Number Sequence
    0x00321060: "LO",  # Requested Procedure Description
    0x00321064: "SQ",  # Requested Procedure Code Sequence
    0x00401001: "SH",  # Requested Procedure ID
    0x00402016: "LO",  # Placer Order Number / Imaging Service Request
    0x00402017: "LO",  # Filler Order Number / Imaging Service Request
}


def requests(original: Dataset) -> list[Dataset]:
    """Return the requests that an original answers, as a document refers to them.

    Items of Referenced Request Sequence (PS3.3 C.17.2) from those of Request Attributes Sequence.
    """
    found = []
    items = original.get("RequestAttributesSequence")
    for item in items if isinstance(items, Sequence) else ():
        request = Dataset()
        request.StudyInstanceUID = original.StudyInstanceUID
        request.ReferencedStudySequence = []
        for tag, representation in _OF_REQUEST.items():
            if tag in item:
                request[tag] = item[tag]
            elif tag in original and tag != 0x00321064:
                request[tag] = original[tag]
            elif representation != "SQ" or tag == 0x00321064:
                request.add_new(tag, representation, [] if representation == "SQ" else None)
        found.append(request)
    return found


def carry(original: Dataset, into: Dataset) -> None:
    """Put an original's patient, study and request into an object of ours.

    Texts are not decoded: they keep their bytes, and the object has the original's character set,
    with which all that we add of our own, in ASCII, is compatible.

    Parameters
    ----------
    original
        As it was read, in Explicit or Implicit VR.
    into
        The object; of these attributes it keeps nothing of its own.
    """
    for tag in _CARRIED:
        into.pop(tag, None)
        if tag in original:
            into[tag] = _element(original, tag)
    for tag, representation in _NEVER_ABSENT.items():
        if tag not in into:
            into.add_new(tag, representation, None)


def _element(original: Dataset, tag: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Return an element as its bytes, or a sequence as it was read."""
    element = original.get_item(tag)
    if not isinstance(element, RawDataElement):
        return element
    representation = element.VR or dictionary_VR(tag)
    little = element.is_little_endian
    if representation in ("SQ", "UN") or not little:
        return original[tag]
    return element._replace(VR=representation, is_implicit_VR=False)


def _zone(made: Dataset) -> dt.tzinfo | None:
    """Return the zone of an object's times, PS3.3 C.12.1.1.8; ``None`` for this machine's."""
    try:
        return dt.datetime.strptime(str(made.get("TimezoneOffsetFromUTC", "")), "%z").tzinfo
    except ValueError:
        return None


def stamp(made: Dataset, at: dt.datetime) -> None:
    """Give an object the moment of its content: made anew it is the same.

    Parameters
    ----------
    at
        When what it says was found or said, UTC; written as the time of the zone that the original
        names, else of this machine's.
    """
    local = at.astimezone(_zone(made))
    date, time = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    for name in ("SeriesDate", "SeriesTime"):
        if name in made:  # a series has many moments
            delattr(made, name)
    for dated, timed in _MOMENTS:
        if dated in made:
            setattr(made, dated, date)
            setattr(made, timed, time)
    for equipment in made.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = date + time
