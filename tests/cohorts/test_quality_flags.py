"""What measures of a liver say against the limits."""

import numpy as np
import pytest
import yaml
from tiny_project import ROOT

from hepatoclr.base import settings
from hepatoclr.cohorts import quality_flags
from hepatoclr.imaging import ingest, volumes
from hepatoclr.imaging.segmentation import base, totalsegmentator

SCHEMA = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())
LIMITS = settings.with_defaults({}, SCHEMA)["checks"]
WELL = {
    "flags": {},
    "volume_ml": 1500,
    "slices": 80,
    "first_slice_share": 0.1,
    "last_slice_share": 0.0,
    "liver_hu": 110.0,
    "largest_component": 1.0,
    "aorta_hu": 150.0,
    "spleen_hu": 120.0,
}


def test_a_good_case_has_no_flags():
    assert quality_flags.judge(WELL, LIMITS) == {}


@pytest.mark.parametrize(
    ("measures", "flag", "sentence"),
    [
        (
            {"first_slice_share": 0.153},
            "truncated",
            "the liver may be cut off: of its largest area 15.3% lies in the lowest slice, "
            "more than 10.0%",
        ),
        (
            {"first_slice_share": 0.8564, "last_slice_share": 0.983},
            "truncated",
            "the liver may be cut off: of its largest area 85.6% lies in the lowest slice and "
            "98.3% lies in the highest slice, more than 10.0%",
        ),
        ({"volume_ml": 299.9}, "volume", "the liver's volume is 299.9 ml, outside 300 to 6000 ml"),
        ({"volume_ml": 6001}, "volume", "the liver's volume is 6001 ml, outside 300 to 6000 ml"),
        ({"liver_hu": -40.2}, "density", "the liver's mean is -40.2 HU, outside 20 to 200 HU"),
        ({"liver_hu": 250}, "density", "the liver's mean is 250 HU, outside 20 to 200 HU"),
        (
            {"largest_component": 0.9},
            "components",
            "the mask is in pieces: the largest holds 90.0% of it, less than 95.0%",
        ),
        (
            {"stretched_slices": 35},
            "stretched",
            "the mask is higher than its largest piece, which alone counts, by slices: 35",
        ),
        (
            {"aorta_hu": 44.0, "spleen_hu": 35.0, "liver_hu": 47.0},
            "phase",
            "the contrast phase looks unenhanced (liver 47 HU, aorta 44 HU, spleen 35 HU)",
        ),
        (
            {"aorta_hu": 320.0, "spleen_hu": None},
            "phase",
            "the contrast phase looks arterial (liver 110 HU, aorta 320 HU)",
        ),
    ],
)
def test_each_flag_with_its_numbers(measures, flag, sentence):
    assert quality_flags.judge({**WELL, **measures}, LIMITS) == {flag: sentence}


def test_limits_themselves_are_accepted():
    edge = {"volume_ml": 300, "liver_hu": 200, "largest_component": 0.95}
    assert quality_flags.judge({**WELL, **edge}, LIMITS) == {}


def test_limits_decide():
    strange = {**WELL, "volume_ml": 250, "aorta_hu": 40, "largest_component": 0.5}
    strict = quality_flags.judge({**WELL, "first_slice_share": 0.0001}, {**LIMITS, "truncated": 0})
    assert list(strict) == ["truncated"]
    wide = {**LIMITS, "liver_ml": [0, 9000], "phase": ["unenhanced"], "largest_component": 0}
    assert set(quality_flags.judge(strange, LIMITS)) == {"volume", "phase", "components"}
    assert quality_flags.judge(strange, wide) == {}


def test_flags_of_earlier_stages_stay_and_come_first():
    found = {**WELL, "flags": {"thickness": "odd"}, "volume_ml": 10}
    assert list(quality_flags.judge(found, LIMITS)) == ["thickness", "volume"]


def test_what_was_not_measured_is_not_judged():
    assert quality_flags.judge({"flags": {}}, LIMITS) == {}
    assert quality_flags.judge({**WELL, "aorta_hu": None, "liver_hu": 50}, LIMITS) == {}


@pytest.mark.parametrize(
    ("liver", "aorta", "spleen", "phase"),
    [
        (55, 42, 45, "unenhanced"),
        (30, 45, 45, "unenhanced"),  # fatty
        (75, 320, 130, "arterial"),
        (75, 320, None, "arterial"),
        (110, 160, 125, "portal"),
        (50, 160, 125, "portal"),  # fatty
        (95, 110, 95, "portal"),  # minutes later
        (110, None, 125, None),
        (None, 160, None, None),
    ],
)
def test_phase(liver, aorta, spleen, phase):
    assert quality_flags.phase(liver, aorta, spleen) == phase


@pytest.mark.parametrize(
    ("ct_name", "mask_name", "phase"),
    [
        ("totalseg_example_ct.nii.gz", "totalseg_example_ct_seg", "unenhanced"),
        ("totalseg_dicom", "totalseg_dicom_seg", "portal"),
    ],
)
def test_phase_of_real_cts(shared_ct, ct_name, mask_name, phase):
    ct = ingest.read_ct(shared_ct / ct_name)
    labels = volumes.load(shared_ct / f"{mask_name}.nii.gz").array
    organs = (totalsegmentator.LIVER, totalsegmentator.AORTA, totalsegmentator.SPLEEN)
    assert (
        quality_flags.phase(*(base.median_hu(ct, np.equal(labels, label)) for label in organs))
        == phase
    )


def test_every_flag_that_excludes_can_be_earned():
    everything = {
        "flags": {},
        "volume_ml": 0,
        "first_slice_share": 1,
        "liver_hu": 0,
        "largest_component": 0,
        "aorta_hu": 0,
    }
    assert set(LIMITS["exclude"]) <= set(quality_flags.judge(everything, LIMITS))
