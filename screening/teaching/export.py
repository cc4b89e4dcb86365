"""The way of chosen cases into a folder: each image is judged, and written whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag

from screening.archive.archive import Archive
from screening.dicom.decoders import Decoders
from screening.domain.instance import InstanceState
from screening.errors import ArchiveAwayError, ArchiveError, HeaderError, PixelError
from screening.records.dossier import Image
from screening.records.teaching import Teachable
from screening.teaching.choices import Choices
from screening.teaching.film import burned_in, read_film, tags_of
from screening.teaching.folder import ExportFolder, settle
from screening.teaching.labels import Label, label_of
from screening.teaching.profile import EMPTIED_OR_REPLACED, METHOD, Place, deidentified
from screening.teaching.pseudonyms import Pseudonyms
from screening.teaching.row import Row, described

_WHY = {
    "mixed_patients": "the study's images name several patients: merge them if they are one",
    "not_scored": "not scored: see its reason with nightread study",
    "waiting": "waits for its score",
    "removed": "a retention rule removed its pixels, or is about to",
    "burned_in": "says that text is in its pixels: --allow-burned-in if somebody has looked",
    "perhaps_burned_in": "a Secondary Capture that may have text in its pixels: "
    "--allow-burned-in if somebody has looked",
    "missing": "its file is not in the archive",
    "unreadable": "its pixels cannot be read",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An image that stays here, and why; the name is that of its file in an earlier export."""

    study_instance_uid: str
    sop_instance_uid: str
    name: str
    reason: str

    @property
    def why(self) -> str:
        """In words."""
        return _WHY[self.reason]


@dataclass(frozen=True, slots=True)
class Specimen:
    """An image that may leave.

    Attributes
    ----------
    digest
        Of its file in the archive; empty where a rule removed that after it was exported.
    name
        Of its file in the export.
    """

    study_instance_uid: str
    sop_instance_uid: str
    digest: str
    name: str
    place: Place
    label: Label | None
    verdict: str
    probability: float


@dataclass(slots=True)
class Account:
    """What came of an export."""

    studies: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    removed: Counter[str] = field(default_factory=Counter)
    written: int = 0

    def report(self, *, version: str) -> dict[str, Any]:
        """Return the counts; nothing in them names a study."""
        labels = Counter(f"{row.split} {row.label}" for row in self.rows if row.label)
        return {
            "complete": True,
            "made_by": f"Nightread {version}",
            "method": METHOD,
            "studies": len(self.studies),
            "patients": len({row.group for row in self.rows}),
            "images": len(self.rows),
            "labelled": dict(sorted(labels.items())),
            "refused": dict(sorted(Counter(each.reason for each in self.refusals).items())),
            "removed": dict(sorted(self.removed.items())),
            "emptied_or_replaced": list(EMPTIED_OR_REPLACED),
        }


class Export:
    """Exports cases.

    Parameters
    ----------
    archive
        Where the originals are.
    decoders
        In whose processes originals are decoded and written anew.
    folder, pseudonyms, choices
        Where to, under which names, and what may stay.
    """

    def __init__(
        self,
        archive: Archive,
        decoders: Decoders,
        folder: ExportFolder,
        pseudonyms: Pseudonyms,
        choices: Choices,
    ) -> None:
        self._archive = archive
        self._decoders = decoders
        self._folder = folder
        self._pseudonyms = pseudonyms
        self._choices = choices

    def judge(self, study: Teachable) -> Iterator[Specimen | Refusal]:
        """Say of each image of a study whether it may leave.

        Raises
        ------
        ArchiveAwayError
            If the archive as a whole is not there.
        """
        patient = self._pseudonyms.patient(*study.identity)
        for number, image in enumerate(study.dossier.images, 1):
            name = self._pseudonyms.file_name(image.sop_instance_uid)
            reason = self._reason(study, image, name, patient)
            if reason:
                uid = study.dossier.case.study_instance_uid
                yield Refusal(uid, image.sop_instance_uid, name, reason)
                continue
            assert image.score is not None
            yield Specimen(
                study.dossier.case.study_instance_uid,
                image.sop_instance_uid,
                "" if image.removal else image.digest,
                name,
                Place(patient, number),
                label_of(study.reviews, image.sop_instance_uid),
                image.score.verdict.value,
                image.score.probability,
            )

    def _reason(self, study: Teachable, image: Image, name: str, patient: str) -> str:
        if study.dossier.case.patients > 1:
            return "mixed_patients"
        if image.state is InstanceState.WAITING:
            return "waiting"
        if image.score is None:
            return "not_scored"
        if image.removal is not None:
            return "" if self._folder.holds(name, patient) else "removed"
        try:
            text = burned_in(self._archive.open_path(image.digest))
        except ArchiveAwayError:
            raise
        except ArchiveError:
            return "missing"
        except (HeaderError, OSError):
            return "unreadable"
        if self._choices.allow_burned_in or text is False:
            return ""
        return "burned_in" if text else "perhaps_burned_in"

    def write(self, specimens: Sequence[Specimen], account: Account) -> None:
        """Write a study's images that are not there yet, and add all of them to the account."""
        for specimen in specimens:
            named = specimen.study_instance_uid, specimen.sop_instance_uid, specimen.name
            if not specimen.digest:
                self._add(specimen, None, account)
                continue
            try:
                # What a store lends is here for some minutes: it is asked for when it is read.
                source = self._archive.open_path(specimen.digest)
                if not self._folder.holds(specimen.name, specimen.place.patient):
                    target = self._folder.image(specimen.name)
                    terms = specimen.place, self._pseudonyms, self._choices
                    self._decoders.run(write_anew, source, target, *terms)
                    account.written += 1
            except ArchiveAwayError:
                raise
            except ArchiveError:
                account.refusals.append(Refusal(*named, "missing"))
            except (PixelError, HeaderError):
                account.refusals.append(Refusal(*named, "unreadable"))
            else:
                self._add(specimen, source, account)

    def _add(self, specimen: Specimen, source: Path | None, account: Account) -> None:
        label = specimen.label
        path = self._folder.image(specimen.name)
        account.studies.add(specimen.study_instance_uid)
        if source is not None:
            account.removed.update(_removed(source, path))
        account.rows.append(
            Row(
                path=f"images/{specimen.name}.dcm",
                label=label.word if label else "",
                split=self._pseudonyms.split(specimen.place.patient),
                group=specimen.place.patient,
                source=label.source if label else "",
                verdict=specimen.verdict,
                probability=f"{specimen.probability:.4f}",
                **described(path),
            )
        )


def write_anew(
    source: Path, target: Path, place: Place, pseudonyms: Pseudonyms, choices: Choices
) -> None:
    """Write the de-identified file of an original; it has its name once it is whole.

    Raises
    ------
    HeaderError, PixelError
        If the original cannot be read.
    """
    made = deidentified(read_film(source), place, pseudonyms, choices)
    part = target.with_name(f".{target.name}.part")
    made.save_as(part, enforce_file_format=True)
    settle(part, target)


def _removed(source: Path, target: Path) -> Iterator[str]:
    """Yield the names of the attributes of an original that its copy has not got.

    A private or unknown one has the name of its kind alone: a vendor's may be a hospital's own.
    """
    kept = set(tags_of(target))
    for tag in tags_of(source):
        if tag in kept or not tag & 0xFFFF:
            continue
        private = bool(tag >> 16 & 1)
        yield "private" if private else keyword_for_tag(tag) or "unknown"
