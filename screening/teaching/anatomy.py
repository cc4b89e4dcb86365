"""Body parts in words of our own: of what a sender wrote nothing is repeated."""

from __future__ import annotations

import re

_WORDS = {
    "SHOULDER": ("SHOULDER", "SCHULTER", "EPAULE", "HOMBRO", "ACJOINT"),
    "CLAVICLE": ("CLAVICLE", "CLAVICULA"),
    "SCAPULA": ("SCAPULA",),
    "HUMERUS": ("HUMERUS", "UPPERARM"),
    "ELBOW": ("ELBOW", "COUDE", "OLECRANON"),
    "FOREARM": ("FOREARM", "RADIUS", "ULNA"),
    "WRIST": ("WRIST", "POIGNET", "SCAPHOID", "CARPUS"),
    "HAND": ("HAND", "HANDS", "MANO"),
    "FINGER": ("FINGER", "FINGERS", "DOIGT"),
    "THUMB": ("THUMB",),
    "PELVIS": ("PELVIS", "BECKEN", "BASSIN"),
    "HIP": ("HIP", "HIPS", "HANCHE", "CADERA"),
    "FEMUR": ("FEMUR", "THIGH"),
    "KNEE": ("KNEE", "KNEES", "KNIE", "GENOU", "RODILLA"),
    "PATELLA": ("PATELLA",),
    "LEG": ("LEG", "LEGS", "LOWERLEG", "TIBIA", "FIBULA"),
    "ANKLE": ("ANKLE", "CHEVILLE"),
    "CALCANEUS": ("CALCANEUS", "HEEL"),
    "FOOT": ("FOOT", "FEET", "FUSS", "PIED"),
    "TOE": ("TOE", "TOES"),
    "EXTREMITY": ("EXTREMITY", "EXTREMITIES", "ARM", "ARMS", "LIMB", "LIMBS"),
}
_TERMS = {word: term for term, words in _WORDS.items() for word in words}


def anatomy_of(body_part: str | None) -> str:
    """Return a defined term of Body Part Examined (PS3.16 Annex L), empty where none is known.

    ``LT HAND, MR SMITH`` is ``HAND``.
    """
    plain = (body_part or "").upper().replace("UPPER ARM", "UPPERARM").replace("LOWER LEG", "LEG")
    known = [_TERMS[token] for token in re.findall(r"[A-Z]+", plain) if token in _TERMS]
    return known[0] if known else ""
