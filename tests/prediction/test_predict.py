"""Predictions of a CT: the way of a run, its refusals, nothing of a patient in what is written."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from example_ct import write_nifti, write_series

from hepatoclr.base.errors import BadCase, UserError
from hepatoclr.imaging import ingest
from hepatoclr.learning import backbone, linear
from hepatoclr.prediction import applicability, bundles, by_hand, pack, predict

NETWORK = {"channels": [4, 8], "padding": 2, "hidden": 4, "projection": 2}
SHAPE = (12, 40, 36)


def facts(**changes):
    """Metadata of a bundle of a network with random weights."""
    made = {
        "name": "test-simclr-linear",
        "encoder": "simclr",
        "protocol": "linear",
        "intended_use": pack.INTENDED_USE,
        "licence": "CC0-1.0",
        "members": [
            {"seed": 1, "weights": "models/w.safetensors", "regression": "models/r.json"}
            | {"folds": "models/f.json", "space": "models/s.json"}
        ],
        "preprocessing": {
            "ingest": {"series": None, "fill_slices": 0},
            "segment": {"backend": "provided", "model": "fast"},
            "slices": {"fraction": 0.7, "by": "extent"},
            "tensors": {"window": [-100, 400], "size": 32},
        },
        "checks": {
            "exclude": ["truncated", "volume"],
            "liver_ml": [0.1, 6000],
            "liver_hu": [20, 200],
            "largest_component": 0.5,
            "truncated": 0.1,
            "phase": ["portal"],
        },
        "network": NETWORK,
        "classes": {
            "negative": {"name": "F0-F2", "labels": ["F0", "F1", "F2"]},
            "positive": {"name": "F3-F4", "labels": ["F3", "F4"]},
        },
        "threshold": {"value": 0.5, "rule": "fixed"},
        "conformal": {
            "coverage": 0.9,
            "negative": {"patients": 40, "least": 0.3},
            "positive": {"patients": 40, "least": 0.3},
        },
        "limits": {"ranges": {"slice_mm": [1.0, 5.0]}},
        "trained_on": {},
        "performance": {"inside": {"auc": [0.8, 0.7, 0.9]}, "external": []},
        "disclaimers": [],
        "made_by": {"hepatoclr": "0"},
    }
    return made | changes


def models(*several):
    return json.dumps({"models": [linear.record(one) for one in several]}).encode()


@pytest.fixture(scope="module")
def regressions():
    rng = np.random.default_rng(1)
    return [
        linear.Model(rng.normal(size=8).tolist(), 0.1 * k, "slices", 1.0, 0.5) for k in range(3)
    ]


@pytest.fixture
def bundle(tmp_path, regressions):
    """Writes a bundle with some other metadata, and gives its path."""
    backbone.write(backbone.initialise(1, **NETWORK), tmp_path / "w.safetensors")
    space = {"mean": [0.0] * 8, "precision": np.eye(8).tolist(), "limit": 1e9}

    def write(limit=1e9, **changes):
        contents = {
            "models/w.safetensors": (tmp_path / "w.safetensors").read_bytes(),
            "models/r.json": models(regressions[0]),
            "models/f.json": models(*regressions[1:]),
            "models/s.json": json.dumps({**space, "limit": limit}).encode(),
        }
        bundles.write(facts(**changes), contents, "# Card\n", tmp_path / "bundle.zip")
        return tmp_path / "bundle.zip"

    return write


@pytest.fixture
def ct(tmp_path):
    """A CT as DICOM and the mask of its liver, a box of 110 HU."""
    rng = np.random.default_rng(2)
    hu = rng.normal(40, 20, SHAPE).astype(np.int16)
    hu[:, :4], hu[:, -4:] = -1000, -1000
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:10, 10:30, 8:28] = 1
    hu[mask > 0] += 70
    names = {"PatientID": "Sentinel-7", "StudyDescription": "Sentinel", "StudyID": "Sentinel"}
    folder = write_series(tmp_path / "sentinel_ct", hu, **names)
    return folder, write_nifti(tmp_path / "liver.nii.gz", mask.transpose(2, 1, 0))


def answer(path, ct, tmp_path, **options):
    image, liver = ct
    (found,) = by_hand.run(path, [image], tmp_path / "out", ["A 1"], livers=[liver], **options)
    return found


def test_the_probability_is_that_of_network_and_regression(bundle, ct, tmp_path, regressions):
    found = answer(bundle(), ct, tmp_path)
    with bundles.unpacked(bundle()) as opened:
        case = predict.Case(tmp_path / "work", "A")
        predict.prepare(case, ct[0], opened.facts, liver=ct[1])
        network = backbone.read(opened.file("models/w.safetensors"), NETWORK)
    from hepatoclr.imaging import tensors

    kept = tensors.load(case.file("tensors", "b2nd"))[:]
    shown = (torch.from_numpy(kept).float()[:, None] + 100) / 500
    with torch.inference_mode():
        vectors = network.backbone(shown).double().numpy()
    odds = [
        1 / (1 + np.exp(-(vectors @ np.array(one.weights) + one.intercept))) for one in regressions
    ]
    assert found["probability"] == pytest.approx(odds[0].mean(), abs=1e-7)
    expected = sorted(one.mean() for one in odds[1:])
    assert found["range"] == pytest.approx(expected, abs=1e-7)
    assert found["models"] == 2
    assert found["slices"] == len(kept) == 6
    assert found["class"] == ("F3-F4" if odds[0].mean() >= 0.5 else "F0-F2")
    assert found["warnings"] == []


def test_nothing_of_the_patient_is_written_but_the_name_given(bundle, ct, tmp_path):
    answer(bundle(), ct, tmp_path)
    written = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in written] == [".dcm", ".html", ".json", ".png"]
    for path in written:
        content = path.read_bytes().lower()
        assert b"sentinel" not in content
        assert b"diagnos" not in content
    assert "Case A 1" in (tmp_path / "out/+a_201.html").read_text()


def test_what_lies_beyond_the_models_is_warned_of(bundle, ct, tmp_path):
    path = bundle(limit=1e-6, limits={"ranges": {"slice_mm": [3.0, 5.0]}})
    texts = answer(path, ct, tmp_path)["warnings"]
    assert "slice spacing 2.50 mm: the models have seen 3.00 to 5.00 mm" in texts
    assert any("unlike those it knows" in one for one in texts)
    page = (tmp_path / "out/+a_201.html").read_text()
    assert "Slice spacing 2.50 mm" in page


@pytest.mark.parametrize("spoil", ["short", "cut", "text", "gone", "two"])
def test_what_a_run_sets_aside_is_refused_with_the_same_reason(bundle, ct, tmp_path, spoil):
    image, liver = ct
    if spoil == "short":
        for number in range(3, 12):
            (image / f"{number:03d}.dcm").unlink()
    elif spoil == "cut":
        (image / "004.dcm").write_bytes((image / "004.dcm").read_bytes()[:600])
    elif spoil == "text":
        image = tmp_path / "ct.txt"
        image.write_text("no CT")
    elif spoil == "gone":
        image = tmp_path / "nowhere"
    else:
        for path in list(image.iterdir()):
            (image / f"again-{path.name}").write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCase) as reason:
        ingest.read_ct(image)
    found = answer(bundle(), (image, liver), tmp_path)
    assert found["refused"] == str(reason.value)
    assert found["stage"] == "ingest"
    assert "probability" not in found
    assert "No prediction" in (tmp_path / "out/+a_201.html").read_text()


def test_a_flag_that_excludes_is_refused_and_another_is_a_warning(bundle, ct, tmp_path):
    checks = facts()["checks"]
    low = {**checks, "liver_ml": [100, 6000], "exclude": ["volume"]}
    found = answer(bundle(checks=low), ct, tmp_path)
    assert found["stage"] == "volume"
    reason = found["refused"].removesuffix(".")
    found = answer(bundle(checks={**low, "exclude": []}), ct, tmp_path)
    assert reason in found["warnings"]
    assert 0 < found["probability"] < 1


def test_an_empty_mask_is_refused(bundle, ct, tmp_path):
    empty = write_nifti(tmp_path / "empty.nii.gz", np.zeros(SHAPE[::-1], np.uint8))
    found = answer(bundle(), (ct[0], empty), tmp_path)
    assert found["stage"] == "segment"


def test_models_of_given_masks_need_one(bundle, ct, tmp_path):
    with pytest.raises(UserError, match="--liver"):
        by_hand.run(bundle(), [ct[0]], tmp_path / "out", ["A"])


@pytest.mark.parametrize(
    ("given", "message"),
    [(["a"], "1 names for 2 CT"), (["a", "a"], "same name"), (["a", ""], "cannot be called")]
    + [(["a", "=cmd"], "cannot be called"), (["a", "b" * 300], "cannot be called")],
)
def test_names_that_cannot_be_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        by_hand.named(["x", "y"], given)


def test_without_names_cases_are_counted():
    assert by_hand.named(["x", "y"], None) == ["case-1", "case-2"]


def test_ranges_are_those_of_used_cases():
    table = pd.DataFrame({"included": [True, True, False], "slice_mm": [1.0, 5.0, 9.0]})
    table = table.reindex(columns=["included", *applicability.RANGES])
    assert applicability.ranges([table]) == {"slice_mm": [1.0, 5.0]}
