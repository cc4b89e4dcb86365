"""Coded concepts of our objects: the standard's where it has them, else of our own scheme."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

SCHEME = "99NIGHTREAD"

FRACTURE = Code("72704001", "SCT", "Fracture")
PLAIN_RADIOGRAPHY = Code("168537006", "SCT", "Plain radiography")
MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
NO_UNITS = Code("1", "UCUM", "no units")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
OF_INTEREST = Code("113000", "DCM", "Of Interest")
ENGLISH = Code("en", "RFC5646", "English")

# Not the standard's Certainty of Finding (111012, DCM), which would claim one in every image.
PROBABILITY = Code("PROBABILITY", SCHEME, "Probability of a fracture")
HIGH_SENSITIVITY = Code("HIGH_SENSITIVITY", SCHEME, "Operating point of high sensitivity")
HIGH_SPECIFICITY = Code("HIGH_SPECIFICITY", SCHEME, "Operating point of high specificity")
VERDICT = Code("VERDICT", SCHEME, "Verdict")
REASON = Code("REASON", SCHEME, "Reason for having no score")
OPINION = Code("OPINION", SCHEME, "Reviewer's opinion of the verdict")
FINDING = Code("FINDING", SCHEME, "Reviewer's finding")

# Context Group 4031, Common Anatomic Regions, by the defined terms of Body Part Examined (PS3.16
# Annex L).
_REGIONS = {
    "ANKLE": Code("70258002", "SCT", "Ankle joint"),
    "CALCANEUS": Code("80144004", "SCT", "Calcaneus"),
    "CLAVICLE": Code("51299004", "SCT", "Clavicle"),
    "ELBOW": Code("16953009", "SCT", "Elbow joint"),
    "FEMUR": Code("71341001", "SCT", "Femur"),
    "FINGER": Code("7569003", "SCT", "Finger"),
    "FOOT": Code("56459004", "SCT", "Foot"),
    "FOREARM": Code("14975008", "SCT", "Forearm"),
    "HAND": Code("85562004", "SCT", "Hand"),
    "HIP": Code("29836001", "SCT", "Hip"),
    "HUMERUS": Code("85050009", "SCT", "Humerus"),
    "KNEE": Code("72696002", "SCT", "Knee"),
    "LEG": Code("30021000", "SCT", "Lower leg"),
    "PATELLA": Code("64234005", "SCT", "Patella"),
    "PELVIS": Code("816092008", "SCT", "Pelvis"),
    "SCAPULA": Code("79601000", "SCT", "Scapula"),
    "SHOULDER": Code("16982005", "SCT", "Shoulder"),
    "THIGH": Code("68367000", "SCT", "Thigh"),
    "THUMB": Code("76505004", "SCT", "Thumb"),
    "TIBIA": Code("12611008", "SCT", "Tibia"),
    "TOE": Code("29707007", "SCT", "Toe"),
    "WRIST": Code("74670003", "SCT", "Wrist joint"),
}
_SIDES = {
    "L": Code("7771000", "SCT", "Left"),
    "R": Code("24028007", "SCT", "Right"),
    "B": Code("51440002", "SCT", "Right and left"),
}


def own(value: str) -> Code:
    """Return a value of ours, as ``not_scored``, as a code of our scheme."""
    return Code(value.upper(), SCHEME, value.replace("_", " ").capitalize())


def region(body_part: str | None) -> Code | None:
    """Return the code of a Body Part Examined; ``None`` of one that is not on our list."""
    return _REGIONS.get((body_part or "").strip().upper())


def side(laterality: str | None) -> Code | None:
    """Return the code of a laterality L, R or B; ``None`` of another."""
    return _SIDES.get((laterality or "").strip().upper())


def scheme_identification(uid: UID) -> Dataset:
    """Return the item that says whose our scheme is, PS3.3 C.12.1.1.1."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeUID = uid
    item.CodingSchemeName = "Nightread"
    item.CodingSchemeResponsibleOrganization = "Nightread"
    return item
