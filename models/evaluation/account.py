"""A measurement in words: the sections of its report."""

from __future__ import annotations

from collections.abc import Collection

from models.audit.section import Section, Table, count, plain, share
from models.evaluation.assessment import ALL, Assessment
from models.evaluation.estimate import Estimate
from models.evaluation.point import PointFigures
from models.evaluation.ranking import FixedFigure
from models.evaluation.subgroup import FEWEST

_LISTED = 15
"""Rows of a table in the report; the files beside it have all."""

_POINT_ROWS = {
    "sensitivity (recall)": "sensitivity",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "precision": "precision",
    "F1": "f1",
    "Cohen's kappa": "kappa",
}


def title(assessment: Assessment) -> str:
    """Return what the report is called."""
    identity = assessment.identity
    return plain(f"{identity.name} {identity.version} on {assessment.measured.data}")


def account(assessment: Assessment, pictures: Collection[str]) -> list[Section]:
    """Tell the figures, the weightiest first.

    Parameters
    ----------
    assessment
        Of a bundle on a set.
    pictures
        File names of the pictures that there are.
    """
    sections = [
        _opening(assessment),
        _ranking(assessment),
        _precision(assessment),
        _points(assessment),
        _scores(),
        _calibration(assessment),
        _pointing(assessment),
        _parts(assessment),
        _parts_at_points(assessment),
        _mistakes(pictures),
        _not_scored(assessment),
        _cost(assessment),
        _method(assessment),
    ]
    return [section for section in sections if section is not None]


def headlines(assessment: Assessment) -> list[str]:
    """Say in a few sentences what stands in the way of believing the figures."""
    lines = []
    leakage = assessment.leakage
    if leakage.exact_copies or leakage.same_group:
        lines.append(
            f"LEAKING: {leakage.exact_copies:,} of {assessment.figures.images:,} images have an "
            f"exact copy in the set's train split, and {leakage.same_group:,} more share a group "
            "with it. A classifier that was trained on it is not tested by them."
        )
    if leakage.bundle_leaking:
        lines.append(
            "LEAKING: the bundle says that its validation images were in its training, so its "
            "thresholds and its selection rest on memory."
        )
    if assessment.unlike:
        lines.append(
            f"{count(len(assessment.unlike), 'image')} "
            f"{'is' if len(assessment.unlike) == 1 else 'are'} unlike the training images: the "
            "worker would not score them. They count here; the part called familiar leaves them "
            "out."
        )
    if assessment.scored.refused:
        lines.append(f"{count(len(assessment.scored.refused), 'image')} could not be scored.")
    return lines


def _opening(assessment: Assessment) -> Section:
    figures = assessment.figures
    rows = "all rows" if assessment.split == ALL else f"split {plain(assessment.split)}"
    chosen = "".join(
        f", {plain(key)} {plain(value)}" for key, value in assessment.measured.where.items()
    )
    return Section(
        "",
        (
            f"{count(figures.images, 'image')} ({rows}{chosen}), {figures.fractured:,} of them "
            f"fractured ({share(figures.fractured, figures.images)}), from "
            f"{count(figures.groups, 'source')}.",
            f"AUC {figures.auc}. At the high-sensitivity point {_pair(figures.high_sensitivity)}; "
            f"at the high-specificity point {_pair(figures.high_specificity)}.",
            *headlines(assessment),
        ),
    )


def _pair(point: PointFigures) -> str:
    return f"sensitivity {point.sensitivity}, specificity {point.specificity}"


def _ranking(assessment: Assessment) -> Section:
    figures = assessment.figures
    rows = [("AUC", str(figures.auc)), ("average precision", str(figures.average_precision))]
    rows += [
        (f"sensitivity at {item.fixed:.0%} specificity", _fixed(item))
        for item in figures.sensitivity_at_specificity
    ]
    rows += [
        (f"specificity at {item.fixed:.0%} sensitivity", _fixed(item))
        for item in figures.specificity_at_sensitivity
    ]
    return Section(
        "Ranking",
        (
            "What the order of the scores is worth. The last four have thresholds that were chosen "
            "on these very images: they describe the set, and are no promise for another.",
        ),
        Table(("figure", "value and interval"), tuple(rows)),
        "roc.png",
        "The ROC curve, with the band of 95 % of the resamplings, and the two operating points.",
    )


def _fixed(item: FixedFigure) -> str:
    at = item.threshold_of_this_set
    return f"{item.figure} from {at:.4f}" if at is not None else str(item.figure)


def _precision(assessment: Assessment) -> Section:
    return Section(
        "Precision and recall",
        ("Precision depends on how frequent fractures are: it is this set's, not a hospital's.",),
        None,
        "precision_recall.png",
        "Precision against recall; dotted, the share of fractures in the set.",
    )


def _points(assessment: Assessment) -> Section:
    figures = assessment.figures
    points = (figures.high_sensitivity, figures.half, figures.high_specificity)
    rows = [("threshold", *(f"{point.threshold:.4f}" for point in points))]
    rows += [
        (words, *(str(getattr(point, key)) for point in points))
        for words, key in _POINT_ROWS.items()
    ]
    cells = [point.confusion for point in points]
    rows += [
        ("fractures found", *(f"{c.true_positive:,}" for c in cells)),
        ("fractures missed", *(f"{c.false_negative:,}" for c in cells)),
        ("false alarms", *(f"{c.false_positive:,}" for c in cells)),
        ("rightly left in peace", *(f"{c.true_negative:,}" for c in cells)),
    ]
    header = ("", "high sensitivity", "one half", "high specificity")
    sentence = (
        "The thresholds are the bundle's, chosen on its validation split; one half is where its "
        "calibrated probability calls a fracture likelier than none."
    )
    return Section("At the thresholds", (sentence,), Table(header, tuple(rows)))


def _scores() -> Section:
    caption = "Probabilities of either class, each adding up to one, and the two thresholds."
    return Section("Scores", (), None, "scores.png", caption)


def _calibration(assessment: Assessment) -> Section:
    figures = assessment.figures
    prevalence = figures.fractured / figures.images
    return Section(
        "Calibration",
        (
            f"Expected calibration error {figures.ece}, Brier score {figures.brier}. The mean "
            f"probability is {figures.mean_probability:.3f}, and {prevalence:.3f} of the images "
            "are fractured.",
        ),
        None,
        "reliability.png",
        "In tenths of the probability: what was promised, and what was true. The numbers count "
        "images.",
    )


def _pointing(assessment: Assessment) -> Section | None:
    figures = assessment.figures
    if figures.pointing is None:
        return None
    found, suspected = figures.pointing_true_positives, figures.pointing_suspected
    return Section(
        "Where it looks",
        (
            f"Of {count(figures.outlined, 'image')} with outlined fractures the hottest point lies "
            f"in an outline for {figures.pointing}"
            + (f"; of those found at the high-sensitivity point, for {found}" if found else "")
            + (f"; of those suspected, for {suspected}." if suspected else "."),
        ),
    )


def _parts(assessment: Assessment) -> Section | None:
    parts, small = assessment.figures.subgroups, assessment.small
    if not parts and not small:
        return None
    rows = tuple(
        (
            plain(part.name),
            f"{part.images:,} ({part.fractured:,})",
            *(str(part.auc), str(part.ece), _or_none(part.pointing_true_positives)),
        )
        for part in parts
    )
    header = ("part", "images (fractured)", "AUC", "calibration error", "pointing game")
    sentences = ["The pointing game is of the fractures found at the high-sensitivity point."]
    if small:
        named = "; ".join(f"{plain(x.name)} {x.images:,} ({x.fractured:,})" for x in small)
        sentences.append(f"Fewer than {FEWEST} images of a class, not measured: {named}.")
    return Section("Parts of the set", tuple(sentences), Table(header, rows) if rows else None)


def _parts_at_points(assessment: Assessment) -> Section | None:
    parts = assessment.figures.subgroups
    if not parts:
        return None
    rows = tuple(
        (
            plain(part.name),
            *(str(part.high_sensitivity.sensitivity), str(part.high_sensitivity.specificity)),
            *(str(part.high_specificity.sensitivity), str(part.high_specificity.specificity)),
        )
        for part in parts
    )
    header = ("part", "sensitivity, HS", "specificity, HS", "sensitivity, HP", "specificity, HP")
    sentence = "HS is at the bundle's high-sensitivity point, HP at its high-specificity point."
    return Section("Parts at the thresholds", (sentence,), Table(header, rows))


def _or_none(value: Estimate | None) -> str:
    return str(value) if value is not None else "-"


def _mistakes(pictures: Collection[str]) -> Section | None:
    if "mistakes.png" not in pictures:
        return None
    sentence = (
        "The fractures with the lowest probabilities and the others with the highest. Look at them "
        "before you blame the classifier: some labels may be wrong. The colours are Grad-CAM's: "
        "where the score for the whole film came from."
    )
    return Section("Worst mistakes", (sentence,), None, "mistakes.png", "The surest errors.")


def _not_scored(assessment: Assessment) -> Section | None:
    refused = assessment.scored.refused
    if not refused:
        return None
    rows = tuple(
        (
            plain(item.row.name),
            "fractured" if item.row.fractured else "not_fractured",
            plain(item.reason),
        )
        for item in refused[:_LISTED]
    )
    sentence = f"{count(len(refused), 'image')} could not be scored and count in no figure."
    return Section("Not scored", (sentence,), Table(("file", "label", "reason"), rows, 3))


def _cost(assessment: Assessment) -> Section:
    cost = assessment.cost
    rows = (
        ("parameters", f"{cost.parameters:,}"),
        ("multiply-adds of convolutions and linear layers, one image", f"{cost.multiply_adds:,}"),
        ("weights", f"{cost.weights_bytes / 1e6:,.1f} MB"),
        ("images per second here, decoding left out", f"{cost.images_per_second:.1f}"),
    )
    return Section("Cost", (), Table(("what", "amount"), rows))


def _method(assessment: Assessment) -> Section:
    train = assessment.leakage.train_images
    leaks = (
        f"The images were held against the {train:,} of the set's own train split by their decoded "
        "pixels and their groups. Near copies are for nightread dataset to find."
        if train
        else "The set names no train split, so copies of training images were not looked for."
    )
    return Section(
        "How it was measured",
        (
            "Brackets are 95 % bootstrap intervals: 2,000 resamplings of whole sources, so that "
            "copies of one film are not taken for independent evidence.",
            leaks,
            f"Weights SHA-256 {assessment.identity.digest}.",
        ),
    )
