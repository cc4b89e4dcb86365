"""Which body parts are screened: extremities from shoulder to fingers and from hip to toes.

The classifiers learnt hand, leg, hip and shoulder; on a chest or a skull their score means nothing.
The words below cover the defined terms of Body Part Examined (PS3.16 Annex L, for instance
``CSPINE`` or ``ABDOMENPELVIS``) and what people write where terms are not kept to.
"""

from __future__ import annotations

import re
import unicodedata

# Of five letters and more, a word is found anywhere in a token (NECKCHEST holds CHEST); a shorter
# one only as a token of its own (RIB is not in RIBBON).
_OUT_OF_SCOPE = {
    "chest": (
        *("CHEST", "THORAX", "TORAX", "LUNG", "LUNGS", "RIB", "RIBS", "STERNUM", "MEDIASTIN"),
        *("HEART", "CARDIAC", "TRACHEA", "BRONCH", "AORTA", "POUMON", "CXR"),
    ),
    "abdomen": (
        *("ABDOM", "KUB", "STOMACH", "COLON", "BOWEL", "INTESTIN", "ESOPHAG", "OESOPHAG"),
        *("KIDNEY", "RENAL", "URETER", "URETHRA", "BLADDER", "BILIARY", "BILEDUCT", "LIVER"),
        *("PANCREA", "SPLEEN", "UTERUS", "PROSTATE", "RECTUM", "DUODENUM", "JEJUNUM"),
    ),
    "head": (
        *("SKULL", "CRANI", "CALVARI", "BRAIN", "FACIAL", "SINUS", "SINUSES", "NASAL"),
        *("NOSE", "ORBIT", "EYE", "EYES", "EAR", "EARS", "MASTOID", "SELLA", "ZYGOMA", "HEADNECK"),
        *("SCHADEL", "CRANE", "CRANEO", "PARANASAL", "ADENOID"),
    ),
    "teeth and jaw": (
        *("TOOTH", "TEETH", "DENTAL", "MANDIB", "MAXILL", "JAW", "JAWREGION", "TMJ", "OPG"),
        *("PANOREX", "ORTHOPANTOMOGRAM"),
    ),
    "neck": ("LARYNX", "PHARYN", "THYROID", "PAROTID", "SUBMANDIBULAR", "NECKCHEST"),
    "spine": (
        *("SPINE", "SPINAL", "CERVICAL", "THORACIC", "LUMBAR", "LUMBO", "LUMBAL", "SACRUM"),
        *("SACRAL", "SACROIL", "SIJOINT", "COCCYX", "VERTEB", "SCOLIOSIS", "WIRBEL", "RACHIS"),
        *("COLUMNA", "HWS", "BWS", "LWS", "ODONTOID"),
    ),
    "breast": ("BREAST", "MAMMA", "MAMMO"),
    "whole body": ("WHOLEBODY", "BABYGRAM"),
}

_HEAD_OR_NECK = {"HEAD": "head", "NECK": "neck", "KOPF": "head", "FACE": "head"}
"""Of the body, unless of a bone, as the femoral head; and in French, FACE is a frontal view."""

_EXTREMITY = (
    *("SHOULDER", "CLAVIC", "SCAPULA", "ACROMIO", "ACJOINT", "HUMER", "UPPERARM", "ARM", "ARMS"),
    *("ELBOW", "OLECRANON", "FOREARM", "RADIUS", "RADIAL", "ULNA", "WRIST", "CARPAL", "CARPUS"),
    *("SCAPHOID", "HAND", "HANDS", "FINGER", "THUMB", "PHALAN", "PELVI", "HIP", "HIPS", "ACETAB"),
    *("FEMUR", "FEMORAL", "THIGH", "KNEE", "PATELLA", "LEG", "LEGS", "LOWERLEG", "TIBIA", "FIBULA"),
    *("CALF", "ANKLE", "MALLEOL", "CALCAN", "HEEL", "FOOT", "FEET", "TARSAL", "TARSUS", "TALUS"),
    *("TOE", "TOES", "EXTREMITY", "EXTREMITIES", "LIMB", "LIMBS", "SCHULTER", "BECKEN", "KNIE"),
    *("FUSS", "GENOU", "MAIN", "HANCHE", "EPAULE", "BASSIN", "CHEVILLE", "PIED", "COUDE"),
    *("POIGNET", "DOIGT", "RODILLA", "MANO", "CADERA", "HOMBRO"),
)

_SHORT = 4
_JOINED = re.compile(r"\b([CTL]|LS|TL)[\s\-_/]+(SPINE)\b")


def _tokens(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKD", text.upper())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(token for token in re.split(r"[^A-Z]+", _JOINED.sub(r"\1\2", plain)) if token)


def _holds(tokens: tuple[str, ...], word: str) -> bool:
    return any(word == token or (len(word) > _SHORT and word in token) for token in tokens)


def _is_extremity(tokens: tuple[str, ...]) -> bool:
    return any(_holds(tokens, word) for word in _EXTREMITY)


def out_of_scope_region(body_part: str) -> str | None:
    """Return which region outside the extremities a body part belongs to, ``None`` if to none.

    A part that spans both, such as ``ABDOMENPELVIS``, is out of scope; an unknown one is in scope.

    Parameters
    ----------
    body_part
        Body Part Examined (0018,0015) or the meaning of an anatomic region, in any case.
    """
    tokens = _tokens(body_part)
    for region, words in _OUT_OF_SCOPE.items():
        if any(_holds(tokens, word) for word in words):
            return region
    if _is_extremity(tokens):
        return None
    return next((region for word, region in _HEAD_OR_NECK.items() if word in tokens), None)


def described_region(*descriptions: str | None) -> str | None:
    """Return the region outside the extremities that descriptions speak of, or ``None``.

    Descriptions may name every view of a study, so one word for an extremity keeps them in scope.

    Parameters
    ----------
    *descriptions
        Series Description, Protocol Name, Study Description: free text, in any case.
    """
    text = " ".join(description for description in descriptions if description)
    return None if _is_extremity(_tokens(text)) else out_of_scope_region(text)
