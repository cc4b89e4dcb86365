"""Is this an image we screen? From the header alone, and if not, why.

The tests run from what an object is, to what it shows, to how it was made, so that the reason
given is the one that tells most: a CT is not a radiograph before it is multi-frame.
"""

from __future__ import annotations

from pydicom import config
from pydicom.uid import UID

from screening.dicom.body_part import described_region, out_of_scope_region
from screening.domain.instance import InstanceHeader
from screening.domain.reason import Exclusion, Reason

_CR = "1.2.840.10008.5.1.4.1.1.1"
_DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
_DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
_RADIOGRAPHS = (_CR, _DX_FOR_PRESENTATION)

# Secondary Capture is what film digitizers, JPEG wrappers and screenshots share: only its modality
# tells whether it is a radiograph. The multi-frame classes may hold a single frame.
_SECONDARY_CAPTURES = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
)
_RADIOGRAPHIC_MODALITIES = ("CR", "DX", "RG")

# Equipment for these sends its radiographs as CR or DX at times.
_OTHER_RADIOGRAPHY = {
    "MG": "mammography",
    "IO": "intra-oral radiography",
    "PX": "panoramic dental radiography",
    "BMD": "bone densitometry",
}

SMALLEST_SIDE = 64
"""Pixels. Below it an image is an icon: at 0.2 mm per pixel it would show 13 mm of a bone."""


# Reports, key objects and presentation states have no Image Type.
_DOCUMENTS = frozenset({"SR", "KO", "PR"})


def exclusion_of(
    header: InstanceHeader, *, minimum_age_years: float, own_manufacturer: str = "Nightread"
) -> Exclusion | None:
    """Return why an image is not screened, or ``None`` if it is.

    Parameters
    ----------
    header
        As `screening.dicom.header.read_header` returns it.
    minimum_age_years
        Younger patients are not screened; at an unknown age they are.
    own_manufacturer
        Manufacturer (0008,0070) that our own result objects carry.

    Returns
    -------
    Exclusion or None
        Its detail holds no patient data: the limit of age, for instance, and not the age.
    """
    tests = (
        _derived_by_us(header, own_manufacturer),
        _not_a_radiograph(header),
        _without_pixels(header),
        _colour(header),
        _multi_frame(header),
        _body_part(header),
        _too_small(header),
        _below_age(header, minimum_age_years),
    )
    return next((exclusion for exclusion in tests if exclusion), None)


def _derived_by_us(header: InstanceHeader, own_manufacturer: str) -> Exclusion | None:
    if header.manufacturer != own_manufacturer:
        return None
    if "DERIVED" in header.image_type:
        what = "ImageType DERIVED"
    elif header.modality in _DOCUMENTS:
        what = f"Modality {header.modality}"
    else:
        return None
    return Exclusion(Reason.DERIVED_BY_US, f"Manufacturer {own_manufacturer}, {what}")


def _not_a_radiograph(header: InstanceHeader) -> Exclusion | None:
    uid, modality = header.sop_class_uid, (header.modality or "").upper()
    if uid == _DX_FOR_PROCESSING or (header.presentation_intent or "").upper() == "FOR PROCESSING":
        detail = "for processing: raw detector values are not meant for reading"
    elif uid in _RADIOGRAPHS:
        if modality not in _OTHER_RADIOGRAPHY:
            return None
        detail = f"{_OTHER_RADIOGRAPHY[modality]} (Modality {modality})"
    else:
        if uid in _SECONDARY_CAPTURES and modality in _RADIOGRAPHIC_MODALITIES:
            return None
        detail = f"{_sop_class_name(uid)}, Modality {modality[:16] or 'not given'}"
    return Exclusion(Reason.NOT_A_RADIOGRAPH, detail)


def _sop_class_name(uid: str) -> str:
    # Unless told to ignore it, pydicom warns of every UID that is not well formed.
    name = UID(uid[:64], validation_mode=config.IGNORE).name
    return name if name != uid[:64] else f"SOP Class {name}"


def _without_pixels(header: InstanceHeader) -> Exclusion | None:
    return None if header.has_pixel_data else Exclusion(Reason.NO_PIXEL_DATA)


def _colour(header: InstanceHeader) -> Exclusion | None:
    # CR and DX allow one sample per pixel (PS3.3 C.8.11.3): what has three is a screenshot.
    if (header.samples_per_pixel or 1) == 1:
        return None
    samples = header.samples_per_pixel
    return Exclusion(Reason.NOT_A_RADIOGRAPH, f"colour: {samples} samples per pixel, not 1")


def _multi_frame(header: InstanceHeader) -> Exclusion | None:
    frames = header.number_of_frames or 1
    return Exclusion(Reason.MULTI_FRAME, f"{frames} frames") if frames > 1 else None


def _body_part(header: InstanceHeader) -> Exclusion | None:
    if header.body_part:
        region = out_of_scope_region(header.body_part)
    else:
        region = described_region(
            header.series_description, header.protocol_name, header.study_description
        )
    return Exclusion(Reason.BODY_PART_OUT_OF_SCOPE, region) if region else None


def _too_small(header: InstanceHeader) -> Exclusion | None:
    rows, columns = header.rows, header.columns
    if rows is None or columns is None or min(rows, columns) >= SMALLEST_SIDE:
        return None
    limit = f"{SMALLEST_SIDE} x {SMALLEST_SIDE}"
    return Exclusion(Reason.TOO_SMALL, f"{rows} x {columns} pixels, at least {limit} are needed")


def _below_age(header: InstanceHeader, minimum_age_years: float) -> Exclusion | None:
    if header.age_years is None or header.age_years >= minimum_age_years:
        return None
    return Exclusion(Reason.BELOW_AGE, f"below {minimum_age_years:g} years")
