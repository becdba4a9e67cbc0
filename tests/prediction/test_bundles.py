"""Bundles: equal ones are equal files, and what is no whole bundle is refused by name."""

import json
import zipfile

import numpy as np
import pytest

from hepatoclr.base.errors import UserError
from hepatoclr.prediction import applicability, bundle_checks, bundles, pack

CLASS = {"name": "F3-F4", "labels": ["F3", "F4"]}
FACTS = {
    "name": "study-simclr-linear",
    "encoder": "simclr",
    "protocol": "linear",
    "intended_use": "research",
    "licence": "CC-BY-4.0",
    "members": [{"seed": 1, "weights": "models/seed1.safetensors"}],
    "preprocessing": {"ingest": {}, "segment": {}, "slices": {}, "tensors": {}},
    "checks": {},
    "network": {},
    "classes": {"negative": CLASS, "positive": CLASS},
    "threshold": {"value": 0.5, "rule": "fixed"},
    "conformal": {"coverage": 0.9, "negative": {}, "positive": {}},
    "limits": {"ranges": {"slice_mm": [1.0, 5.0]}},
    "trained_on": {},
    "performance": {},
    "disclaimers": [],
    "made_by": {},
}
CONTENTS = {"models/seed1.safetensors": bytes(range(256)) * 40}


@pytest.fixture
def path(tmp_path):
    bundles.write(FACTS, CONTENTS, "# Card\n", tmp_path / "one.zip")
    return tmp_path / "one.zip"


def rewritten(path, change):
    """A copy whose files, by name, a function has changed."""
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    change(found)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return path


def metadata(**changes):
    """A change of the metadata; None takes a key away."""

    def change(found):
        facts = json.loads(found[bundles.METADATA]) | changes
        kept = {key: value for key, value in facts.items() if value is not None}
        found[bundles.METADATA] = json.dumps(kept).encode()

    return change


def test_a_bundle_is_read_as_it_was_written_and_equal_ones_are_equal_files(path, tmp_path):
    bundles.write(FACTS, CONTENTS, "# Card\n", tmp_path / "two.zip")
    assert path.read_bytes() == (tmp_path / "two.zip").read_bytes()
    with bundles.unpacked(path) as bundle:
        assert bundle.facts["name"] == FACTS["name"]
        assert bundle.file("models/seed1.safetensors").read_bytes() == bytes(range(256)) * 40
        assert bundle.file(bundles.CARD).read_text() == "# Card\n"
        folder = bundle.folder
    assert not folder.exists()


def outside(found):
    found["../evil"] = b""
    metadata(files={"../evil": "0" * 64, "models/seed1.safetensors": "0" * 64})(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.pop(bundles.METADATA), "no bundle of HepatoCLR"),
        (metadata(format="other"), "no bundle of HepatoCLR"),
        (metadata(format_version=2), "of format 2, and this version of HepatoCLR reads 1"),
        (metadata(threshold=None), "threshold"),
        (metadata(members=[{"seed": 1, "weights": "models/a"}]), "does not list models/a"),
        (lambda found: found.update({bundles.METADATA: b"{"}), "cannot be read"),
        (lambda found: found.update({bundles.METADATA: b"[]"}), "no bundle of HepatoCLR"),
        (lambda found: found.pop("models/seed1.safetensors"), "seed1.safetensors is missing"),
        (lambda found: found.update({bundles.CARD: b"other"}), "its digest differs"),
        (outside, "would lie outside"),
    ],
)
def test_what_is_no_whole_bundle_is_refused_by_name(path, tmp_path, change, message):
    rewritten(path, change)
    with pytest.raises(UserError, match=message) as refusal, bundles.unpacked(path) as found:
        bundle_checks.check(path, found.facts)
    assert str(path) in str(refusal.value)
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_a_bundle_cut_off_is_refused(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match="no bundle, or a damaged one"), bundles.unpacked(path):
        pass


def test_each_flipped_byte_is_found_or_changes_nothing(path):
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    (name,) = CONTENTS
    for place in rng.choice(len(whole), 60, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        message = ""
        try:
            with bundles.unpacked(path) as bundle:
                assert bundle.file(name).read_bytes() == CONTENTS[name]
        except UserError as error:
            message = str(error)
        assert not message or str(path) in message


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    for name, message in (("none.zip", "no such file"), ("text.zip", "no bundle")):
        with pytest.raises(UserError, match=message), bundles.unpacked(tmp_path / name):
            pass


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["F3", "F4"], "F3-F4"),
        (["F0", "F1", "F2"], "F0-F2"),
        (["F4", "F3"], "F4, F3"),
        (["F1", "F4"], "F1, F4"),
        (["mild", "severe"], "mild, severe"),
        (["F4"], "F4"),
    ],
)
def test_a_class_is_named_by_its_labels(labels, name):
    assert pack.class_name(labels) == name


def test_what_lies_beyond_what_was_seen_is_said():
    limits = {"slice_mm": [1.0, 5.0], "liver_ml": [600.0, 3000.0]}
    assert applicability.outside({"slice_mm": 5.0, "liver_ml": None}, limits) == []
    assert applicability.outside({"slice_mm": np.nan}, limits) == []
    assert applicability.outside({"slice_mm": 7.5, "liver_ml": 300.0}, limits) == [
        "slice spacing 7.50 mm: the models have seen 1.00 to 5.00 mm",
        "liver volume 300 ml: the models have seen 600 to 3000 ml",
    ]


def test_about_one_like_patient_in_a_hundred_is_far_and_others_are():
    rng = np.random.default_rng(2)
    shape = np.linalg.cholesky(np.cov(rng.normal(size=(12, 40))) + np.eye(12))
    known, new = (rng.normal(size=(count, 12)) @ shape for count in (150, 2000))
    space = applicability.space(known)
    far = np.mean([space.distance(one) > space.limit for one in new])
    assert far < 0.03
    assert np.mean([space.distance(one + 8) > space.limit for one in new]) > 0.95
