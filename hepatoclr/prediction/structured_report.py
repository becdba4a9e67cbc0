"""The answer for a CT as a DICOM structured report (TID 1500), for archives that hold DICOM.

It names nobody and no study: the patient is the name of the case, and its UIDs are made from the
voxels. Whoever may link it to the CT does so by that name.
"""

from collections.abc import Mapping
from pathlib import Path

import highdicom as hd
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, generate_uid

from hepatoclr.base import files
from hepatoclr.base.version import VERSION
from hepatoclr.prediction.page import RESEARCH

SCHEME = "99HEPATOCLR"  # codes of our own: no standard has them
MEANINGS = {
    "P": "Probability of advanced fibrosis or cirrhosis, for research",
    "T": "Threshold of the probability",
    "PL": "Lowest probability over models",
    "PH": "Highest probability over models",
}


def write(facts: Mapping, pixel_sha256: str, path: str | Path) -> None:
    """Write the report of a CT that was predicted.

    Args:
        facts: The answer, see `predict.predict`.
        pixel_sha256: Digest of the CT's voxels, of which the UIDs are made.
        path: DICOM file to write.
    """
    source = _source(facts["case"], pixel_sha256)
    report = hd.sr.ComprehensiveSR(
        evidence=[source],
        content=_content(facts, source),
        series_instance_uid=_uid(pixel_sha256, "report", facts["bundle"]["sha256"]),
        series_number=1,
        sop_instance_uid=_uid(pixel_sha256, "instance", facts["bundle"]["sha256"]),
        instance_number=1,
        manufacturer="HepatoCLR",
        is_complete=True,
        is_verified=False,
        is_final=False,
    )
    report.SeriesDescription = RESEARCH
    with files.atomic(path) as temporary:
        report.save_as(temporary)


def _uid(*parts: str) -> hd.UID:
    """A UID that is the same for the same parts, and tells nothing of them."""
    return hd.UID(generate_uid(entropy_srcs=["hepatoclr", *parts]))


def _source(case: str, pixel_sha256: str) -> Dataset:
    """An image that stands for the CT: what a report must refer to, without what names anybody."""
    source = Dataset()
    source.SOPClassUID = CTImageStorage
    source.SOPInstanceUID = _uid(pixel_sha256, "ct instance")
    source.SeriesInstanceUID = _uid(pixel_sha256, "ct series")
    source.StudyInstanceUID = _uid(pixel_sha256, "ct study")
    source.Modality = "CT"
    source.PatientID, source.PatientName = case[:64], f"{case[:63]}^"
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        setattr(source, name, "")
    source.AccessionNumber = source.ReferringPhysicianName = ""
    source.Rows = source.Columns = 512
    return source


def _code(value: str, meaning: str) -> hd.sr.CodedConcept:
    return hd.sr.CodedConcept(value, SCHEME, meaning)


def _content(facts: Mapping, source: Dataset) -> hd.sr.MeasurementReport:
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=_uid("bundle", facts["bundle"]["sha256"]),
        name=facts["bundle"]["name"][:64],
        manufacturer_name="HepatoCLR",
        model_name=VERSION,
    )
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device, observer_identifying_attributes=device
    )
    numbers = {"P": facts["probability"], "T": facts["threshold"]}
    if facts["range"]:
        numbers |= dict(zip(("PL", "PH"), facts["range"], strict=True))
    measurements = [
        hd.sr.Measurement(_code(key, MEANINGS[key]), float(value), codes.UCUM.NoUnits)
        for key, value in numbers.items()
    ]
    said = {
        "class": _code("C", "Class at the threshold"),
        "set": _code("S", f"Set of classes at a coverage of {facts['coverage']:.0%}"),
    }
    evaluations = [
        hd.sr.QualitativeEvaluation(name=concept, value=_code(facts[key][:16], facts[key][:64]))
        for key, concept in said.items()
    ]
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=source.SOPInstanceUID, identifier="liver"),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(source)],
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
    )
