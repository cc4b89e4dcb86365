"""What was found, in words: the sections of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from models.audit.film import Fault
from models.audit.findings import Findings
from models.audit.leak import Leak
from models.audit.likeness import likeness
from models.audit.proposal import EXCLUDED
from models.audit.section import Section, Table, count, plain, share
from models.labels import LABELS, SPLITS

_LISTED = 15
"""Rows of a table in the report; the CSV files beside it have all."""

_MEANING = {
    Fault.MISSING: "the table names a file that is not there",
    Fault.CORRUPT: "no image can be read from it",
    Fault.TRUNCATED: "ends too early or is damaged: used as far as it goes",
    Fault.BLANK: "one brightness all over",
}


def account(findings: Findings, pictures: Collection[str]) -> list[Section]:
    """Tell the findings, the weightiest first.

    Parameters
    ----------
    findings
        Of the audit.
    pictures
        File names of the contact sheets that there are.
    """
    sections = [
        _opening(findings),
        _contents(findings),
        _leakage(findings),
        _conflicts(findings),
        _copies(findings),
        _faults(findings),
        _agreement(findings),
        _proposal(findings),
        _method(findings),
    ]
    return [_with_its_picture(section, pictures) for section in sections if section is not None]


def _with_its_picture(section: Section, pictures: Collection[str]) -> Section:
    if section.picture in pictures:
        return section
    return Section(section.title, section.sentences, section.table)


def headlines(findings: Findings) -> list[str]:
    """Say in a few sentences what matters most."""
    lines = [_leak_line(leak) for leak in findings.leaks if leak.leaking]
    if findings.leaks and not lines:
        lines.append("No file of one split was found in another.")
    if not findings.leaks:
        lines.append("The set names no splits, so there is nothing that could leak yet.")
    if findings.conflicts:
        lines.append(
            f"{count(len(findings.conflicts), 'film')} "
            f"{'is' if len(findings.conflicts) == 1 else 'are'} labelled in two ways."
        )
    unusable = sum(item.fault is not Fault.TRUNCATED for item in findings.faults)
    if unusable:
        lines.append(f"{count(unusable, 'file')} cannot be used.")
    return [*lines, *(f"Warning: {warning}." for warning in findings.warnings)]


def _leak_line(leak: Leak) -> str:
    others = leak.near + leak.turned
    if not leak.exact:
        kind, counted, more = "near, turned or mirrored copy", others, ""
    else:
        kind, counted = "exact copy", leak.exact
        more = f", and {others:,} more a near, turned or mirrored one" if others else ""
    return (
        f"{counted:,} of {leak.files:,} {leak.split} files ({share(counted, leak.files)}) have "
        f"{'a' if kind[0] == 'n' else 'an'} {kind} in {leak.into}{more}."
    )


def _opening(findings: Findings) -> Section:
    entries, distinct = len(findings.entries), len(findings.first_entry)
    sources = len({item.group for item in findings.assigned if item.split != EXCLUDED})
    sentence = (
        f"{count(entries, 'file')}, {count(distinct, 'distinct image')}, "
        f"{count(sources, 'independent source')}."
    )
    return Section("", (sentence, *headlines(findings)))


def _contents(findings: Findings) -> Section:
    counts = Counter((entry.split, entry.label) for entry in findings.entries)
    splits = sorted({entry.split for entry in findings.entries}, key=_split_order)
    rows = tuple(
        (
            plain(split) or "(no split)",
            *(f"{counts[split, label]:,}" for label in LABELS),
            f"{sum(counts[split, label] for label in LABELS):,}",
        )
        for split in splits
    )
    others = (
        (f"{count(len(findings.source.others), 'other file')} in the folders were left out.",)
        if findings.source.others
        else ()
    )
    table = Table(("split", *LABELS, "files"), rows)
    return Section("What it holds", others, table)


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split), "") if split in SPLITS else (len(SPLITS), split)


def _leakage(findings: Findings) -> Section | None:
    if not findings.leaks:
        return None
    rows = tuple(
        (
            f"{leak.split} in {leak.into}",
            f"{leak.files:,}",
            f"{leak.exact:,} ({share(leak.exact, leak.files)})",
            *((f"{leak.near:,}", f"{leak.turned:,}") if findings.near else ("-", "-")),
            f"{leak.related:,}",
            f"{leak.leaking:,} ({share(leak.leaking, leak.files)})",
        )
        for leak in findings.leaks
    )
    header = ("files of", "readable", "exact copy", "near", "turned", "same group", "leaking")
    sentences = (
        "A classifier that has seen a film in training is not tested by it. Each file counts once, "
        "by its best copy: equal pixels; a near copy that lies the same way up; one that is turned "
        "or mirrored. Same group: no copy, but the set's own table puts it into one group with a "
        "file of the other split.",
    )
    caption = "Samples: on the left a file, on the right its copy in the other split."
    return Section("Leakage", sentences, Table(header, rows), "leaks.png", caption)


def _conflicts(findings: Findings) -> Section | None:
    if not findings.conflicts:
        return None
    exact = sum(item.likeness is None for item in findings.conflicts)
    sentences = (
        f"Equal pixels under two labels: {exact:,}; the proposed split leaves all their files out. "
        f"Near copies with different labels: {len(findings.conflicts) - exact:,}; they stay, in "
        "one source. Look at each: a label is wrong, or they are two films after all.",
    )
    rows = tuple(
        (
            plain(findings.entries[item.first].name),
            findings.entries[item.first].label,
            plain(findings.entries[item.second].name),
            findings.entries[item.second].label,
            "equal" if item.likeness is None else f"{item.likeness.similarity:.3f}",
        )
        for item in findings.conflicts[:_LISTED]
    )
    table = Table(("file", "label", "other file", "its label", "similarity"), rows, 4)
    caption = "Samples of one film under two labels."
    return Section("Conflicting labels", sentences, table, "conflicts.png", caption)


def _copies(findings: Findings) -> Section:
    readable = sum(picture >= 0 for picture in findings.picture_of)
    repeated = readable - len(findings.first_entry)
    sentences = [f"{count(repeated, 'file')} repeat the pixels of another exactly."]
    if not findings.near:
        return Section("Copies", (*sentences, "Near copies were not looked for (--exact)."))
    upright = sum(likeness(row).upright for row in findings.pairs)
    mirrored = int(findings.pairs["mirrored"].sum())
    turned = len(findings.pairs) - upright - mirrored
    sentences.append(
        f"Among the distinct images {count(len(findings.pairs), 'pair')} are copies: {upright:,} "
        f"the same way up, {turned:,} turned, {mirrored:,} mirrored."
    )
    caption = "The least similar pairs that still count as copies: judge the limit by them."
    return Section("Copies", tuple(sentences), None, "copies.png", caption)


def _faults(findings: Findings) -> Section | None:
    if not findings.faults:
        return None
    counts = Counter(item.fault for item in findings.faults)
    by_label = Counter((item.fault, findings.entries[item.entry].label) for item in findings.faults)
    rows = tuple(
        (fault.value, _MEANING[fault], *(f"{by_label[fault, label]:,}" for label in LABELS))
        for fault in Fault
        if counts[fault]
    )
    sentences = (
        "If one class has more of them than the other, leaving them out, or filling them with "
        "black, teaches a classifier a shortcut.",
    )
    table = Table(("fault", "meaning", *LABELS), rows, 2)
    return Section("Faulty files", sentences, table, "faults.png", "Samples of faulty files.")


def _agreement(findings: Findings) -> Section | None:
    known = findings.agreement
    if known is None:
        return None
    sentences = (
        f"The set names groups of its own, which hold {count(known.known, 'pair')} of distinct "
        f"images. Of {count(known.found, 'pair')} found here they confirm {known.confirmed:,}: "
        f"precision {known.precision:.3f}, recall {known.recall:.3f}; {known.linked_recall:.3f} of "
        "the known pairs are connected by a chain of copies. A found pair that the groups lack may "
        "be an error of the search or a gap in the groups: look at it. A known pair that was not "
        "found may be related otherwise, as two views of one patient are.",
    )
    return Section("Agreement with the set's own groups", sentences)


def _proposal(findings: Findings) -> Section:
    counts = Counter(
        (item.split, entry.label)
        for item, entry in zip(findings.assigned, findings.entries, strict=True)
    )
    groups = Counter(split for split, _ in {(x.split, x.group) for x in findings.assigned})
    rows = tuple(
        (
            split,
            *(f"{counts[split, label]:,}" for label in LABELS),
            f"{groups[split]:,}" if split in SPLITS else "-",
        )
        for split in (*SPLITS, EXCLUDED)
    )
    sentences = (
        "index.csv proposes a split in which no source is in two parts: 70, 15 and 15 % of each "
        "class as nearly as whole sources allow, drawn with seed "
        f"{findings.seed}. Excluded are exact copies of a row that stays, films labelled in two "
        "ways, what cannot be read, and what the set itself leaves out. Its paths start from the "
        "report's folder: give that folder to nightread train --data. There are no patient "
        "identifiers in pictures, so two views of one patient can still part: add a column group "
        "to the table if you know better.",
    )
    return Section(
        "A split that does not leak", sentences, Table(("split", *LABELS, "sources"), rows)
    )


def _method(findings: Findings) -> Section:
    near = (
        f"Near copies: similarity of at least {findings.near:.2f} between ring signatures "
        "(docs/datasets.md), which see turns by any angle and mirrors, not crops, nor turns of a "
        "film that is not square by anything but quarters."
        if findings.near
        else "Near copies were not looked for."
    )
    return Section("How", (f"Exact copies: equal grey pixels after decoding. {near}",))
