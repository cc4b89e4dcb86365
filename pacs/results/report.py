"""The structured report of a study: TID 1500, Measurement Report (PS3.16)."""

from __future__ import annotations

from collections.abc import Iterator

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from pacs.results import codes
from pacs.results.carried import requests
from pacs.results.identity import (
    MANUFACTURER,
    SERIES_DESCRIPTIONS,
    SERIES_NUMBERS,
    Kind,
    ascii_of,
    series_uid,
    uid_of,
)
from pacs.results.screened import ScreenedImage, ScreenedStudy
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import FLAGGED, Verdict

_DEVICE = Code("121007", "DCM", "Device")
_DEVICE_UID = uid_of("device")


def report_uid(study: ScreenedStudy, predecessor: str | None, *, planar: bool) -> UID:
    """Return the UID of a study's report as it stands.

    Parameters
    ----------
    study
        What it reports.
    predecessor
        SOP Instance UID of the report that it supersedes; ``None`` for the first.
    planar
        Whether it is a Comprehensive SR.
    """
    form = "planar" if planar else "3d"
    return uid_of("report", study.uid, study.version, predecessor or "", form)


def make_report(
    study: ScreenedStudy, *, predecessor: Dataset | None = None, planar: bool = False
) -> Dataset | None:
    """Write the report of a study; ``None`` where nothing of it can be referred to.

    One measurement group (TID 1501) for the study, with its verdict, and one for each image, with
    the probability of a fracture and the verdict at both operating points, or the reason for having
    no score. A fracture is a finding of what is flagged alone. It is unverified and
    preliminary, whatever a reviewer said.

    Parameters
    ----------
    study
        With at least one image.
    predecessor
        The report that it supersedes, by its SOP Class and Instance UIDs and its series.
    planar
        Whether to write a Comprehensive SR rather than a Comprehensive 3D SR: some systems know no
        other.
    """
    evidence = [image.reference() for image in study.images if image.has_series]
    if not evidence:
        return None
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(study.model)),
        procedure_reported=_concept(codes.PLAIN_RADIOGRAPHY),
        imaging_measurements=[_of_study(study), *map(_of_image, study.images)],
        title=_concept(codes.MEASUREMENT_REPORT),
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            _concept(codes.ENGLISH)
        ),
    )
    before = predecessor.SOPInstanceUID if predecessor is not None else None
    made: Dataset = (ComprehensiveSR if planar else Comprehensive3DSR)(
        evidence=evidence,
        content=content[0],
        series_instance_uid=series_uid(study.uid, Kind.REPORT),
        series_number=SERIES_NUMBERS[Kind.REPORT],
        sop_instance_uid=report_uid(study, before, planar=planar),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=not study.dossier.case.images_waiting,
        is_final=False,
        is_verified=False,
        requested_procedures=requests(study.original) or None,
        previous_versions=[predecessor] if predecessor is not None else None,
    )
    made.SeriesDescription = SERIES_DESCRIPTIONS[Kind.REPORT]
    made.CodingSchemeIdentificationSequence = [codes.scheme_identification(uid_of("scheme"))]
    return made


def _concept(code: Code) -> CodedConcept:
    return CodedConcept.from_code(code)


def _observer(model: ModelIdentity | None) -> ObserverContext:
    return ObserverContext(
        observer_type=_concept(_DEVICE),
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=_DEVICE_UID,
            manufacturer_name=MANUFACTURER,
            model_name=ascii_of(f"{model.name} {model.version}") if model else MANUFACTURER,
            name=MANUFACTURER,
        ),
    )


def _algorithm(model: ModelIdentity) -> AlgorithmIdentification:
    """Return who computed a score: TID 4019."""
    return AlgorithmIdentification(
        name=ascii_of(model.name),
        version=ascii_of(model.version),
        parameters=[f"SHA-256 of the weights: {model.digest}"],
        family=_concept(codes.ARTIFICIAL_INTELLIGENCE),
        manufacturer=MANUFACTURER,
    )


def _of_study(study: ScreenedStudy) -> MeasurementsAndQualitativeEvaluations:
    case, model = study.dossier.case, study.model
    measurements = []
    if case.score is not None:
        measurements.append(_measurement(codes.PROBABILITY, case.score))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid_of("study", study.uid), "study"),
        finding_type=_concept(codes.FRACTURE) if study.verdict in FLAGGED else None,
        algorithm_id=_algorithm(model) if model else None,
        measurements=measurements or None,
        qualitative_evaluations=list(_evaluations_of_study(study)),
    )


def _evaluations_of_study(study: ScreenedStudy) -> Iterator[QualitativeEvaluation]:
    yield _evaluation(codes.VERDICT, study.verdict.value)
    if study.review is not None and study.review.opinion is not None:
        yield _evaluation(codes.OPINION, study.review.opinion.value)
        if study.review.finding is not None:
            yield _evaluation(codes.FINDING, study.review.finding.value)


def _of_image(image: ScreenedImage) -> MeasurementsAndQualitativeEvaluations:
    record, score = image.record, image.score
    uid = record.sop_instance_uid
    model = ModelIdentity(score.model, score.model_version, score.model_digest) if score else None
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid_of("image", uid), "image" if image.is_image else f"instance {uid}"
        ),
        finding_type=_concept(codes.FRACTURE) if image.is_flagged else None,
        algorithm_id=_algorithm(model) if model else None,
        finding_sites=_sites(image),
        measurements=list(_measurements(image)) or None,
        qualitative_evaluations=list(_evaluations(image)),
        source_images=[SourceImageForMeasurementGroup(record.sop_class_uid, uid)]
        if image.is_image
        else None,
    )


def _measurements(image: ScreenedImage) -> Iterator[Measurement]:
    score = image.score
    if score is not None:
        yield _measurement(codes.PROBABILITY, score.probability)
        yield _measurement(codes.HIGH_SENSITIVITY, score.high_sensitivity)
        yield _measurement(codes.HIGH_SPECIFICITY, score.high_specificity)


def _evaluations(image: ScreenedImage) -> Iterator[QualitativeEvaluation]:
    if image.score is not None:
        yield _evaluation(codes.VERDICT, image.score.verdict.value)
    elif image.record.exclusion is not None:
        yield _evaluation(codes.VERDICT, Verdict.NOT_SCORED.value)
        yield _evaluation(codes.REASON, image.record.exclusion.reason.value)
    else:
        yield _evaluation(codes.VERDICT, Verdict.WAITING.value)


def _measurement(name: Code, share: float) -> Measurement:
    return Measurement(_concept(name), share, _concept(codes.NO_UNITS))


def _evaluation(name: Code, value: str) -> QualitativeEvaluation:
    return QualitativeEvaluation(_concept(name), _concept(codes.own(value)))


def _sites(image: ScreenedImage) -> list[FindingSite] | None:
    place = codes.region(str(image.header.get("BodyPartExamined") or ""))
    if place is None:
        return None
    side = codes.side(image.record.laterality)
    return [FindingSite(_concept(place), laterality=_concept(side) if side else None)]
