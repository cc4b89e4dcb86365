"""What was found, for machines."""

from __future__ import annotations

from collections import Counter
from typing import Any

from models.audit.findings import Findings
from models.audit.leak import Leak
from models.audit.likeness import likeness
from models.audit.proposal import EXCLUDED
from models.labels import LABELS, SPLITS


def figures(findings: Findings) -> dict[str, Any]:
    """Return the counts of an audit as JSON holds them; ``docs/datasets.md`` lists the keys."""
    entries = findings.entries
    readable = sum(picture >= 0 for picture in findings.picture_of)
    return {
        "format": 1,
        "paths": [str(path) for path in findings.source.paths],
        "files": len(entries),
        "other_files": len(findings.source.others),
        "distinct_images": len(findings.first_entry),
        "exact_copies": readable - len(findings.first_entry),
        "labels": {label: _labelled(findings, label) for label in LABELS},
        "splits": _splits(findings),
        "faults": dict(sorted(Counter(item.fault.value for item in findings.faults).items())),
        "near_copies": _near(findings),
        "conflicts": {
            "exact": sum(item.likeness is None for item in findings.conflicts),
            "near": sum(item.likeness is not None for item in findings.conflicts),
        },
        "leaks": [_leak(leak) for leak in findings.leaks],
        "agreement": _agreement(findings),
        "proposal": _proposal(findings),
        "warnings": list(findings.warnings),
    }


def _labelled(findings: Findings, label: str) -> int:
    return sum(entry.label == label for entry in findings.entries)


def _splits(findings: Findings) -> dict[str, dict[str, int]]:
    counts = Counter((entry.split, entry.label) for entry in findings.entries)
    names = sorted({entry.split for entry in findings.entries})
    return {name: {label: counts[name, label] for label in LABELS} for name in names}


def _near(findings: Findings) -> dict[str, Any] | None:
    if not findings.near:
        return None
    found = [likeness(row) for row in findings.pairs]
    return {
        "similarity": findings.near,
        "pairs": len(found),
        "same_way_up": sum(pair.upright for pair in found),
        "turned": sum(not pair.upright and not pair.mirrored for pair in found),
        "mirrored": sum(pair.mirrored for pair in found),
    }


def _leak(leak: Leak) -> dict[str, Any]:
    return {
        "split": leak.split,
        "into": leak.into,
        "files": leak.files,
        "exact": leak.exact,
        "near": leak.near,
        "turned": leak.turned,
        "same_group": leak.related,
        "leaking": leak.leaking,
    }


def _agreement(findings: Findings) -> dict[str, Any] | None:
    known = findings.agreement
    if known is None:
        return None
    return {
        "known_pairs": known.known,
        "found_pairs": known.found,
        "confirmed_pairs": known.confirmed,
        "linked_pairs": known.linked,
        "precision": round(known.precision, 4),
        "recall": round(known.recall, 4),
        "linked_recall": round(known.linked_recall, 4),
    }


def _proposal(findings: Findings) -> dict[str, Any]:
    counts = Counter(
        (item.split, entry.label)
        for item, entry in zip(findings.assigned, findings.entries, strict=True)
    )
    sources = Counter(split for split, _ in {(x.split, x.group) for x in findings.assigned})
    return {
        "seed": findings.seed,
        "splits": {
            split: {label: counts[split, label] for label in LABELS} | {"sources": sources[split]}
            for split in SPLITS
        },
        "excluded": {label: counts[EXCLUDED, label] for label in LABELS},
    }
