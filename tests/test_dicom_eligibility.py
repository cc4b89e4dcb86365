"""Which images are screened, and the reason that the others get."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.dicom.body_part import described_region, out_of_scope_region
from screening.dicom.eligibility import exclusion_of
from screening.domain.instance import InstanceHeader
from screening.domain.reason import Reason

CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_GRAYSCALE_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
MULTI_FRAME_TRUE_COLOR = "1.2.840.10008.5.1.4.1.1.7.4"
CT = "1.2.840.10008.5.1.4.1.1.2"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"

WRIST = InstanceHeader(
    sop_instance_uid="1.2.3.4",
    sop_class_uid=DX,
    study_instance_uid="1.2.3",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    modality="DX",
    body_part="WRIST",
    image_type=("ORIGINAL", "PRIMARY"),
    presentation_intent="FOR PRESENTATION",
    photometric_interpretation="MONOCHROME2",
    samples_per_pixel=1,
    rows=2048,
    columns=1024,
    has_pixel_data=True,
    age_years=30.0,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sop_class_uid": CR, "modality": "CR", "presentation_intent": None},
        {"sop_class_uid": CR, "modality": None},
        {"sop_class_uid": SECONDARY_CAPTURE, "modality": "CR"},
        {"sop_class_uid": MULTI_FRAME_GRAYSCALE_BYTE, "modality": "RG", "number_of_frames": 1},
        {"body_part": None},
        {"body_part": "UNKNOWN"},
        {"age_years": None},
        {"age_years": 2.0},
        {"rows": 64, "columns": 64},
        {"samples_per_pixel": None},
        {"rows": None, "columns": None},
        {"manufacturer": "Nightread phantom", "image_type": ("DERIVED", "SECONDARY")},
        {"manufacturer": "Nightread", "image_type": ("ORIGINAL", "PRIMARY")},
    ],
)
def test_screened(changes: dict[str, object]) -> None:
    assert exclusion_of(replace(WRIST, **changes), minimum_age_years=2.0) is None


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"sop_class_uid": CT, "modality": "CT"}, Reason.NOT_A_RADIOGRAPH, "CT Image Storage"),
        (
            {"sop_class_uid": COMPREHENSIVE_SR, "modality": "SR", "has_pixel_data": False},
            Reason.NOT_A_RADIOGRAPH,
            "Comprehensive SR Storage, Modality SR",
        ),
        (
            {"sop_class_uid": "1.2.3\u00e9", "modality": None},
            Reason.NOT_A_RADIOGRAPH,
            "SOP Class 1.2.3\u00e9, Modality not given",
        ),
        ({"sop_class_uid": DX_FOR_PROCESSING}, Reason.NOT_A_RADIOGRAPH, "for processing"),
        ({"presentation_intent": "FOR PROCESSING"}, Reason.NOT_A_RADIOGRAPH, "for processing"),
        (
            {"sop_class_uid": MAMMOGRAPHY, "modality": "MG"},
            Reason.NOT_A_RADIOGRAPH,
            "Digital Mammography X-Ray Image Storage - For Presentation",
        ),
        ({"sop_class_uid": CR, "modality": "MG"}, Reason.NOT_A_RADIOGRAPH, "mammography"),
        (
            {"sop_class_uid": SECONDARY_CAPTURE, "modality": "OT"},
            Reason.NOT_A_RADIOGRAPH,
            "Modality OT",
        ),
        (
            {"sop_class_uid": MULTI_FRAME_TRUE_COLOR, "modality": "CR"},
            Reason.NOT_A_RADIOGRAPH,
            "True Color",
        ),
        ({"samples_per_pixel": 3}, Reason.NOT_A_RADIOGRAPH, "colour"),
        ({"has_pixel_data": False}, Reason.NO_PIXEL_DATA, ""),
        ({"number_of_frames": 20}, Reason.MULTI_FRAME, "20 frames"),
        ({"body_part": "CHEST"}, Reason.BODY_PART_OUT_OF_SCOPE, "chest"),
        (
            {"body_part": None, "series_description": "Thorax p.a."},
            Reason.BODY_PART_OUT_OF_SCOPE,
            "chest",
        ),
        ({"rows": 48, "columns": 512}, Reason.TOO_SMALL, "48 x 512"),
        ({"age_years": 1.9}, Reason.BELOW_AGE, "below 2 years"),
        (
            {
                "sop_class_uid": SECONDARY_CAPTURE,
                "manufacturer": "Nightread",
                "image_type": ("DERIVED", "SECONDARY"),
            },
            Reason.DERIVED_BY_US,
            "Nightread",
        ),
    ],
)
def test_not_screened(changes: dict[str, object], reason: Reason, detail: str) -> None:
    exclusion = exclusion_of(replace(WRIST, **changes), minimum_age_years=2.0)

    assert exclusion is not None
    assert exclusion.reason is reason
    assert detail in exclusion.detail


def test_an_age_is_never_told() -> None:
    exclusion = exclusion_of(replace(WRIST, age_years=1.875), minimum_age_years=2.0)

    assert "1.8" not in str(exclusion)


def test_a_ct_is_not_a_radiograph_before_it_is_anything_else() -> None:
    ct = replace(WRIST, sop_class_uid=CT, modality="CT", number_of_frames=9, body_part="HEAD")

    exclusion = exclusion_of(ct, minimum_age_years=50.0)

    assert exclusion is not None
    assert exclusion.reason is Reason.NOT_A_RADIOGRAPH


@pytest.mark.parametrize(
    "body_part",
    [
        *("SHOULDER", "CLAVICLE", "SCAPULA", "ACJOINT", "HUMERUS", "UPPERARM", "ARM", "ELBOW"),
        *("FOREARM", "WRIST", "HAND", "FINGER", "THUMB", "PELVIS", "HIP", "FEMUR", "THIGH"),
        *("KNEE", "PATELLA", "LEG", "LOWERLEG", "ANKLE", "CALCANEUS", "FOOT", "TOE", "EXTREMITY"),
        *("FEMORAL HEAD", "NECK OF FEMUR", "RADIAL HEAD", "METACARPAL", "LOWLIMB", "", "JOINT"),
    ],
)
def test_extremities_are_in_scope(body_part: str) -> None:
    assert out_of_scope_region(body_part) is None


@pytest.mark.parametrize(
    ("body_part", "region"),
    [
        ("CHEST", "chest"),
        ("RIB", "chest"),
        ("NECKCHEST", "chest"),
        ("ABDOMEN", "abdomen"),
        ("ABDOMENPELVIS", "abdomen"),
        ("SKULL", "head"),
        ("HEAD", "head"),
        ("Schädel", "head"),
        ("JAW", "teeth and jaw"),
        ("NECK", "neck"),
        ("CSPINE", "spine"),
        ("C-SPINE", "spine"),
        ("L SPINE", "spine"),
        ("LSSPINE", "spine"),
        ("COCCYX", "spine"),
        ("BREAST", "breast"),
        ("WHOLEBODY", "whole body"),
    ],
)
def test_the_rest_of_the_body_is_not(body_part: str, region: str) -> None:
    assert out_of_scope_region(body_part) == region


def test_a_study_of_chest_and_hand_keeps_its_hands() -> None:
    assert described_region(None, None, "Chest PA, left hand 2 views") is None
    assert described_region("CHEST PA", None, None) == "chest"
    assert described_region(None, None, None) is None


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    out_of_scope_region(text)
    described_region(text, None, text)
