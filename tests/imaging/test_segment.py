"""The liver: provided masks, TotalSegmentator, and what is measured of both."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from example_ct import affine, random_hu, write_series
from pydicom import config, dcmread
from scipy import ndimage

from hepatoclr.base import cases, devices, files
from hepatoclr.base.errors import BadCase, EmptyLiver, UserError
from hepatoclr.imaging import ingest, measures, segment, volumes
from hepatoclr.imaging.segmentation import backends, base, provided
from hepatoclr.imaging.segmentation import totalsegmentator as totalseg
from hepatoclr.imaging.volumes import Volume

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (12, 20, 16)


@pytest.fixture
def ct() -> Volume:
    """A canonical CT."""
    return Volume(random_hu(SHAPE), affine())


@pytest.fixture
def organs() -> np.ndarray:
    """Labels on the CT's grid: 2 a box, 5 another, both without symmetry."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:9, 3:12, 1:7] = 5
    labels[5:11, 13:19, 9:15] = 2
    return labels


def save(labels: np.ndarray, path: Path, axes: str = "LPS", grid: np.ndarray | None = None) -> Path:
    """Write labels (z, y, x) as NIfTI stored in another orientation."""
    grid = affine() if grid is None else grid
    stored = nib.Nifti1Image(labels.transpose(2, 1, 0), grid)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(grid), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(stored.as_reoriented(turn), path)
    return path


# provided masks


@pytest.mark.parametrize(
    ("ct_name", "mask_name", "label", "ml", "ends"),
    [
        ("chaos_dicom", "chaos_liver", None, 1417, (0.0838, 0)),
        ("totalseg_dicom", "totalseg_dicom_seg", 5, 699, (0.8564, 0.9835)),
        ("totalseg_example_ct.nii.gz", "totalseg_example_ct_seg", 5, 1126, (0, 0.9028)),
        ("totalseg_example_ct_sm.nii.gz", "totalseg_example_ct_sm_seg", 5, None, (0.1531, 0.891)),
    ],
)
def test_real_livers_keep_their_volume(shared_ct, ct_name, mask_name, label, ml, ends):
    path = shared_ct / f"{mask_name}.nii.gz"
    ct = ingest.read_ct(shared_ct / ct_name)
    liver = segment.liver(ct, "provided", mask=path, label=label)
    stored = nib.load(path)
    values = np.asanyarray(stored.dataobj)
    own = np.count_nonzero(values == label if label else values) * abs(
        np.linalg.det(stored.affine[:3, :3])
    )
    assert liver.facts["volume_ml"] == pytest.approx(own / 1000, rel=1e-3)
    if ml:
        assert liver.facts["volume_ml"] == pytest.approx(ml, rel=0.01)
    assert not liver.facts["resampled"]
    assert (liver.facts["first_slice_share"], liver.facts["last_slice_share"]) == ends
    low, middle, high = np.percentile(ct.array[liver.array == 1], (5, 50, 95))
    assert 40 < middle < 150
    assert high - low < 120, "other tissue lies under the mask"


def test_a_real_mask_on_another_grid_keeps_its_volume(shared_ct, tmp_path):
    ct = ingest.read_ct(shared_ct / "chaos_dicom")
    mask = volumes.load(shared_ct / "chaos_liver.nii.gz")
    grid = mask.affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    grid[:3, 3] += mask.affine[:3, :3] @ [0.5, 0.5, 0]
    path = save(mask.array[:, ::2, ::2], tmp_path / "half.nii.gz", "RAS", grid)
    liver = segment.liver(ct, "provided", mask=path)
    assert liver.facts["resampled"]
    assert liver.facts["volume_ml"] == pytest.approx(1417, rel=0.01)
    both = np.count_nonzero(liver.array & mask.array)
    assert 2 * both / (liver.array.sum() + mask.array.sum()) > 0.97


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPR", "ILA"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_masks_in_any_orientation(ct, organs, tmp_path, axes, dtype):
    path = save(organs.astype(dtype), tmp_path / "mask.nii.gz", axes)
    liver = provided.read(ct, path, 5)
    np.testing.assert_array_equal(liver.array, organs == 5)
    assert liver.array.dtype == np.uint8
    np.testing.assert_array_equal(liver.affine, ct.affine)
    every = provided.read(ct, path)
    np.testing.assert_array_equal(every.array, organs > 0)


def test_a_cropped_mask_is_put_in_its_place(ct, organs, tmp_path):
    grid = affine()
    grid[:3, 3] += grid[:3, :3] @ [1, 2, 1]
    path = save(organs[1:10, 2:15, 1:], tmp_path / "crop.nii", "RAS", grid)
    liver = provided.read(ct, path, 5)
    np.testing.assert_array_equal(liver.array, organs == 5)
    assert liver.facts["resampled"]
    assert liver.facts["flags"] == {}


def test_oblique_grids_are_resampled_right(organs, tmp_path):
    angle = np.radians(25)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ct = Volume(random_hu(SHAPE), turn @ affine())
    grid = ct.affine.copy()
    grid[:3, 3] += grid[:3, :3] @ [-3, -2, -1]
    wider = np.pad(organs, ((1, 1), (2, 2), (3, 3)))
    path = save(wider, tmp_path / "mask.nii", "PRI", grid)
    np.testing.assert_array_equal(provided.read(ct, path, 5).array, organs == 5)


def test_a_mask_partly_outside_is_flagged_and_one_mostly_outside_refused(ct, organs, tmp_path):
    for slices, outcome in ((2, "29%"), (5, "71%"), (40, "100%")):
        grid = affine()
        grid[2, 3] -= (2 + slices) * 2.5
        path = save(organs, tmp_path / f"{slices}.nii.gz", grid=grid)
        inside = 100 - int(outcome[:-1])
        if inside > 50:
            flags = provided.read(ct, path, 5).facts["flags"]
            assert flags == {"outside": f"{inside}% of the mask lies inside the CT"}
        else:
            with pytest.raises(BadCase, match=f"only {inside}% of the mask lies inside"):
                provided.read(ct, path, 5)


def test_masks_that_cannot_be_used_are_refused(ct, organs, tmp_path):
    path = save(organs, tmp_path / "mask.nii.gz")
    with pytest.raises(BadCase, match=r"no label 7; it has 2, 5\. Check"):
        provided.read(ct, path, 7)
    with pytest.raises(BadCase, match="no such mask file"):
        provided.read(ct, tmp_path / "none.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadCase, match="damaged"):
        provided.read(ct, tmp_path / "cut.nii.gz")
    (tmp_path / "mask.png").write_bytes(b"\x89PNG")
    with pytest.raises(BadCase, match="the file is a picture. Convert it"):
        provided.read(ct, tmp_path / "mask.png")
    one = write_series(tmp_path / "ct", random_hu(SHAPE)) / "000.dcm"
    with pytest.raises(BadCase, match="Give the folder of a series"):
        provided.read(ct, one)
    with pytest.raises(BadCase, match="names no liver_mask"):
        segment.liver(ct, "provided")


def dicom_seg(folder: Path, organs: np.ndarray, path: Path, kind: str) -> Path:
    """Write labels 2 and 5 as segments 1 and 2 of a DICOM SEG upon a series."""
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    images = [dcmread(one) for one in sorted(folder.iterdir())]
    segments = [
        SegmentDescription(number, name, codes.SCT.Organ, codes.SCT.Liver, algorithm_type="MANUAL")
        for number, name in ((1, "other"), (2, "liver"))
    ]
    pixels = np.stack([organs == 2, organs == 5], axis=-1).astype(np.uint8)
    if kind == "FRACTIONAL":
        share = np.where(organs == 2, 0, np.clip(organs / 5, 0, 1))
        pixels = np.stack([organs == 2, share], axis=-1).astype(np.float32)
    made = Segmentation(
        images[::-1],
        pixels[::-1],
        kind,
        segments,
        generate_uid(),
        1,
        generate_uid(),
        1,
        "maker",
        "model",
        "1",
        "0",
    )
    made.save_as(path)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_dicom_seg(organs, tmp_path, kind):
    folder = write_series(tmp_path / "ct", random_hu(SHAPE))
    ct = ingest.read_ct(folder)
    path = dicom_seg(folder, organs, tmp_path / "seg.dcm", kind)
    liver = provided.read(ct, path, 2)
    np.testing.assert_array_equal(liver.array, organs == 5)
    assert liver.facts["format"] == "dicom_seg"
    np.testing.assert_array_equal(provided.read(ct, path).array, organs > 0)
    with pytest.raises(BadCase, match=r"no label 5; it has 1, 2\."):
        provided.read(ct, path, 5)
    assert list(provided.read(ct, path).facts["flags"]) == ["labels"]
    path.rename(folder / "seg.dcm")  # beside the CT's images
    np.testing.assert_array_equal(provided.read(ct, folder, 2).array, organs == 5)
    shutil.make_archive(tmp_path / "seg", "zip", folder)
    np.testing.assert_array_equal(provided.read(ct, tmp_path / "seg.zip", 2).array, organs == 5)
    shutil.copy(folder / "seg.dcm", folder / "more.dcm")
    with pytest.raises(BadCase, match="2 DICOM SEGs lie there"):
        provided.read(ct, folder, 2)


def test_a_fractional_seg_is_cut_at_half(organs, tmp_path):
    folder = write_series(tmp_path / "ct", random_hu(SHAPE))
    shares = ndimage.uniform_filter((organs == 5).astype(float), 3) * 5
    path = dicom_seg(folder, shares, tmp_path / "seg.dcm", "FRACTIONAL")
    found = provided.read(ingest.read_ct(folder), path, 2)
    np.testing.assert_array_equal(found.array, shares >= 2.5)
    assert list(found.facts["flags"]) == ["thresholded"]


def test_no_text_of_a_dicom_seg_reaches_the_log(organs, tmp_path, recwarn):
    folder = write_series(tmp_path / "ct", random_hu(SHAPE))
    path = dicom_seg(folder, organs, tmp_path / "seg.dcm", "BINARY")
    with config.disable_value_validation():
        stored = dcmread(path)
        stored.StudyInstanceUID = stored.PatientBirthDate = "Jane Doe"
        stored.save_as(path)
    recwarn.clear()
    provided.read(ingest.read_ct(folder), path, 2)
    assert not [warning for warning in recwarn if "Jane" in str(warning.message)]


# measures


def test_measures(ct, organs):
    mask = (organs == 5).astype(np.uint8)
    facts = measures.measure(Volume(mask, affine()), ct)
    assert facts == {
        "volume_ml": round(7 * 9 * 6 * 2.5 * 0.9 * 0.8 / 1000, 1),
        "slices": 7,
        "liver_hu": round(float(ct.array[organs == 5].mean()), 1),
        "largest_component": 1.0,
        "first_slice_share": 0.0,
        "last_slice_share": 0.0,
    }
    mask[4, 3:9], mask[4, :, 5:] = 0, 0  # a tip of 3 x 4 voxels
    mask[0, 0, 0] = 1  # a stray voxel is no end of a liver
    cut = measures.measure(Volume(mask[:5], affine()), Volume(ct.array[:5], affine()))
    assert (cut["first_slice_share"], cut["last_slice_share"]) == (0, round(12 / 54, 4))
    two = Volume((organs > 0).astype(np.uint8), affine())
    share = np.count_nonzero(organs == 5) / np.count_nonzero(organs)
    assert measures.measure(two, ct)["largest_component"] == pytest.approx(share, abs=1e-4)


def test_pieces_that_stretch_the_mask_are_measured():
    mask = np.zeros((60, 9, 9), np.uint8)
    mask[40:55, 2:7, 2:7] = 1
    mask[41, 0, 0] = 1  # within the height of the largest
    ct = Volume(mask.astype(np.int16), np.eye(4))
    assert "stretched_slices" not in measures.measure(Volume(mask, np.eye(4)), ct)
    mask[5, 4, 4] = mask[55, 8, 8] = 1
    assert measures.measure(Volume(mask, np.eye(4)), ct)["stretched_slices"] == 36


def test_the_rim_of_an_organ_does_not_count():
    hu = np.zeros((9, 9, 9), np.int16)
    organ = np.zeros_like(hu, bool)
    organ[2:7, 2:7, 2:7], hu[2:7, 2:7, 2:7], hu[3:6, 3:6, 3:6] = True, 60, 150
    assert base.median_hu(Volume(hu, np.eye(4)), organ) == 150
    organ[3:7] = False
    assert base.median_hu(Volume(hu, np.eye(4)), organ) == 60
    assert base.median_hu(Volume(hu, np.eye(4)), np.zeros_like(organ)) is None


def test_an_empty_mask_is_refused(ct, tmp_path):
    path = save(np.zeros(SHAPE, np.uint8), tmp_path / "mask.nii.gz")
    with pytest.raises(EmptyLiver, match=r"the liver mask is empty\. Look at the CT"):
        segment.liver(ct, "provided", mask=path)


# backends


def test_unknown_backends_are_refused(ct):
    with pytest.raises(UserError, match="no backend 'providd'; did you mean 'provided'"):
        segment.liver(ct, "providd")
    with pytest.raises(UserError, match="known are: provided, totalsegmentator"):
        backends.preflight("base")


def documented_backend() -> str:
    """The example of a backend in the docs."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    return text.split("## A segmentation backend")[1].split("```python\n")[1].split("```")[0]


def test_the_documented_backend_works(tmp_path):
    shutil.copytree(ROOT / "hepatoclr", tmp_path / "hepatoclr")
    (tmp_path / "hepatoclr/imaging/segmentation/threshold.py").write_text(documented_backend())
    code = (
        "import numpy as np; from hepatoclr.imaging import segment; "
        "from hepatoclr.imaging.segmentation import backends; "
        "from hepatoclr.imaging.volumes import Volume; "
        "ct = Volume(np.full((4, 6, 6), -1000, np.int16), np.diag([-1.0, -1, 1, 1])); "
        "ct.array[1:3, 1:5, 1:5] = 100; backends.preflight('threshold'); "
        "liver = segment.liver(ct, 'threshold'); "
        "assert (liver.array == (ct.array == 100)).all(); assert liver.facts['liver_hu'] == 100; "
        "print(liver.facts['backend'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "threshold", done.stderr


# the files of a case


class Case:
    """The files of a case: a CT with a bright box, what ingest found, mask and facts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ("ct.nii.gz", "ct.json", "liver.nii.gz", "liver.json")
        self.volume, self.ingested, self.liver, self.facts = (folder / name for name in names)
        self.hu, self.found = np.full(SHAPE, -1000, np.int16), 0
        self.hu[2:6, 5:9, 5:9] = 100
        volumes.save(Volume(self.hu, affine()), self.volume)
        files.write_json({"flags": {"odd": "it is odd"}}, self.ingested)
        monkeypatch.setattr(backends, "load", lambda *_: self.find)

    def find(self, ct: Volume, mask: str | None, label: int | None) -> Volume:
        self.found += 1
        facts = {"backend": "bright", "aorta_hu": 150, "flags": {}}
        return Volume((ct.array > 0).astype(np.uint8), ct.affine, facts)

    def segment(self, **changes) -> dict:
        """Run the stage as its script does; gives the facts."""
        guard = "segment", "a case", [self.liver], self.facts, "exclude"
        with cases.exclude_on_error(*guard):
            given = self.volume, self.ingested, self.liver, self.facts, "provided"
            segment.segment(*given, **changes)
        return files.read_json(self.facts)

    def assess(self) -> dict:
        return measures.assess(self.liver, self.facts, self.volume)[1]

    def correct(self, slices: slice = slice(2, 4)) -> bytes:
        """Draw another mask over the liver, as a person does, in floats and another orientation."""
        drawn = np.full(SHAPE, np.nan)
        drawn[1:] = 0
        drawn[slices, 5:9, 5:9] = 1
        save(drawn, self.liver, "RAS")
        return self.liver.read_bytes()


@pytest.fixture
def case(tmp_path, monkeypatch) -> Case:
    return Case(tmp_path, monkeypatch)


def test_a_case_keeps_the_flags_of_ingest(case):
    facts = case.segment()
    np.testing.assert_array_equal(volumes.load(case.liver).array, case.hu > 0)
    assert facts["flags"] == {"odd": "it is odd"}
    assert (facts["backend"], facts["slices"]) == ("bright", 4)
    assert facts["sha256"] == {"liver.nii.gz": files.sha256(case.liver)}
    assert case.assess() == {key: facts[key] for key in facts if key not in ("made_from", "sha256")}


def test_nothing_is_found_where_contents_are_the_same(case, tmp_path):
    before = case.segment(code=["a"])
    shutil.copy(case.volume, tmp_path / "copy.nii.gz")
    case.volume = tmp_path / "copy.nii.gz"
    assert case.segment(code=["a"], device="cuda", attempt=2) == before
    assert case.found == 1
    case.segment(code=["b"])
    mask = save(np.ones(SHAPE, np.uint8), tmp_path / "mask.nii.gz")
    case.segment(code=["b"], mask=mask)
    files.write_json({"flags": {}}, case.ingested)
    case.segment(code=["b"], mask=mask)
    assert case.found == 4
    (tmp_path / "folder").mkdir()
    shutil.copy(mask, tmp_path / "folder")
    case.segment(code=["b"], mask=tmp_path / "folder")
    assert case.found == 4
    save(np.zeros(SHAPE, np.uint8), tmp_path / "folder" / "mask.nii.gz")
    case.segment(code=["b"], mask=tmp_path / "folder")
    assert case.found == 5
    case.facts.unlink()  # an interrupted job leaves a mask without facts
    case.segment(code=["b"], mask=mask)
    assert case.found == 6


def test_a_mask_corrected_by_hand_is_kept_and_measured(case):
    case.segment()
    drawn = case.correct()
    assert case.assess()["slices"] == 2
    facts = case.segment(code=["changed"])
    assert (case.liver.read_bytes(), case.found) == (drawn, 1)
    corrected = {"odd": "it is odd", "corrected": "the liver mask was corrected by hand"}
    assert facts["flags"] == corrected
    facts = case.assess()
    assert facts["flags"] == corrected
    assert (facts["slices"], facts["aorta_hu"]) == (2, 150)
    assert facts["volume_ml"] == pytest.approx(2 * 16 * 2.5 * 0.9 * 0.8 / 1000, abs=0.05)
    case.liver.unlink()
    assert case.segment()["flags"] == {"odd": "it is odd"}
    assert (case.assess()["slices"], case.found) == (4, 2)


def test_a_mask_drawn_for_a_case_without_liver_makes_it_usable(case):
    volumes.save(Volume(np.full(SHAPE, -1000, np.int16), affine()), case.volume)
    facts = case.segment()
    assert (facts["excluded"][:23], case.liver.read_bytes()) == ("the liver mask is empty", b"")
    assert case.segment() == facts
    assert case.found == 1  # what excluded the case once would exclude it again
    with pytest.raises(BadCase, match="the liver mask is empty") as refused:
        case.assess()
    assert refused.value.stage == "segment"
    drawn = case.correct()
    for _ in range(2):
        assert list(case.assess()["flags"]) == ["odd", "corrected"]
        assert "excluded" not in case.segment(attempt=3)
    assert (case.liver.read_bytes(), case.found) == (drawn, 1)
    case.correct(slice(0, 0))
    with pytest.raises(EmptyLiver):
        case.assess()
    volumes.save(Volume(np.ones((3, 3, 3), np.uint8), affine()), case.liver)
    with pytest.raises(UserError, match="on another grid than its CT"):
        case.assess()


def test_a_case_that_ingest_excluded_stays_so(case):
    files.write_json({"excluded": "no CT", "stage": "ingest"}, case.ingested)
    assert case.segment() == {"excluded": "no CT", "stage": "ingest"}
    drawn = case.correct()
    for _ in range(2):
        with pytest.raises(BadCase, match="no CT") as refused:
            case.assess()
        assert refused.value.stage == "ingest"
        assert case.segment()["excluded"] == "no CT"
    assert case.liver.read_bytes() == drawn
    files.write_json({"flags": {}}, case.ingested)
    assert list(case.segment()["flags"]) == ["corrected"]
    assert (case.liver.read_bytes(), case.assess()["slices"], case.found) == (drawn, 2, 0)


def test_a_case_that_killed_its_process_twice_is_excluded(case):
    assert "killed twice" in case.segment(attempt=3)["excluded"]
    assert case.segment(attempt=1)["backend"] == "bright"


# TotalSegmentator


def test_tables_agree_with_totalsegmentator():
    tasks = pytest.importorskip("totalsegmentator.map_tasks_config")
    for task, folder in totalseg.FOLDERS.items():
        assert tasks.TASK_ID_WEIGHTS_CONFIGS[task]["foldername"] == folder
    modes = tasks.TASK_CONFIGS["total"]["sub_modes"]
    assert (modes["fast"]["task_id"],) == totalseg.NEEDED["fast"]
    assert (modes["fastest"]["task_id"],) == totalseg.NEEDED["fastest"]
    assert {*modes["default"]["task_id"], 298} == set(totalseg.NEEDED["full"])
    import totalsegmentator

    source = Path(totalsegmentator.__file__).with_name("map_to_binary.py").read_text()
    assert '5: "liver"' in source.split('"total": {')[1].split("}")[0]
    command = Path(totalsegmentator.__file__).parent / "bin" / "totalseg_download_weights.py"
    for name in set(totalseg.DOWNLOADS.values()):
        assert f'"{name}":' in command.read_text()


def complete(weights: Path, *tasks: int) -> None:
    """Pretend that the weights of some tasks are there."""
    for task in tasks:
        fold = weights / totalseg.FOLDERS[task] / "trainer" / "fold_0"
        fold.mkdir(parents=True)
        (fold / "checkpoint_final.pth").touch()


def test_missing_weights(tmp_path):
    fast, fastest = totalseg.FOLDERS[297], totalseg.FOLDERS[298]
    assert totalseg.missing_weights("fast", tmp_path) == [fast]
    complete(tmp_path, 297, 291)
    assert totalseg.missing_weights("fast", tmp_path) == []
    assert totalseg.missing_weights("fastest", str(tmp_path)) == [fastest]
    assert len(totalseg.missing_weights("full", tmp_path)) == 5
    # a download that broke off
    (tmp_path / fastest).mkdir()
    assert totalseg.missing_weights("fastest", tmp_path) == [fastest]
    with pytest.raises(UserError, match="one of fastest, fast, full, got 'slow'"):
        totalseg.missing_weights("slow", tmp_path)


def test_weights_are_looked_for_where_totalsegmentator_does(tmp_path, monkeypatch):
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    monkeypatch.delenv("TOTALSEG_HOME_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert totalseg.weights_folder() == tmp_path / ".totalsegmentator" / "nnunet" / "results"
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path / "home"))
    assert totalseg.weights_folder() == tmp_path / "home" / "nnunet" / "results"
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "weights"))
    assert totalseg.weights_folder("") == tmp_path / "weights"
    assert totalseg.weights_folder(tmp_path / "told") == tmp_path / "told"


def test_preflight_says_what_is_missing_where_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError) as refused:
        totalseg.preflight("fast", tmp_path)
    message = str(refused.value)
    assert totalseg.FOLDERS[297] in message
    assert str(tmp_path) in message
    assert "totalseg_download_weights -t total_fast" in message
    complete(tmp_path, 297)
    totalseg.preflight("fast", tmp_path)


def test_preflight_loads_nothing_heavy():
    code = (
        "import sys; from hepatoclr.imaging.segmentation import backends\n"
        "try: backends.preflight('totalsegmentator', 'fast', '/nowhere')\n"
        "except Exception: pass\n"
        "heavy = {'torch', 'totalsegmentator', 'SimpleITK', 'highdicom'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_labels_of_totalsegmentator_become_a_mask(ct, organs, tmp_path, monkeypatch):
    complete(tmp_path, 297)

    def run(labels):
        found = Volume(labels, affine())
        monkeypatch.setattr(totalseg, "_labels", lambda *_: found)
        return totalseg.totalsegmentator(ct, weights=tmp_path, device="cpu")

    organs[0:3, 14:18, 12:15] = totalseg.AORTA
    liver = run(organs)
    np.testing.assert_array_equal(liver.array, organs == 5)
    inner = ct.array[1, 15:17, 13]
    assert liver.facts["aorta_hu"] == pytest.approx(np.median(inner), abs=0.1)
    assert liver.facts["spleen_hu"] is None
    with pytest.raises(EmptyLiver, match="TotalSegmentator found no liver"):
        run(organs * (organs == 2))
    with pytest.raises(BadCase, match="another grid"):
        run(organs[1:])


def test_only_the_body_is_looked_at(tmp_path, monkeypatch):
    complete(tmp_path, 297)
    hu = np.full((40, 60, 80), -1000, np.int16)
    hu[:, 20:40, 30:60] = 40
    hu[:, 58, :] = 100  # the table
    ct = Volume(hu, np.diag([-2.0, -2.0, 4.0, 1.0]))
    seen = []

    def labels(part, *_):
        seen.append(part)
        return Volume((part.array == 40) * np.uint8(totalseg.LIVER), part.affine)

    monkeypatch.setattr(totalseg, "_labels", labels)
    liver = totalseg.totalsegmentator(ct, weights=tmp_path, device="cpu")
    np.testing.assert_array_equal(liver.array, hu == 40)
    assert seen[0].array.shape == (40, 30, 40)  # 10 mm around the body
    at = np.argwhere(hu == 40)[0][::-1]
    at_part = np.argwhere(seen[0].array == 40)[0][::-1]
    np.testing.assert_allclose(ct.affine @ [*at, 1], seen[0].affine @ [*at_part, 1])


def test_large_bodies_are_done_in_parts():
    whole_body = Volume(np.empty((1800, 512, 512), np.bool_), np.diag([0.9, 0.9, 1.0, 1]))
    abdomen = Volume(np.empty((500, 512, 512), np.bool_), np.diag([0.9, 0.9, 1.0, 1]))
    assert totalseg._split(whole_body, "fast")
    assert not totalseg._split(abdomen, "fast")
    assert not totalseg._split(whole_body, "full")  # that model sees the liver's box alone


def test_a_full_gpu_leaves_the_ct_to_the_cpu(ct, organs, tmp_path, monkeypatch):
    import torch

    complete(tmp_path, 297)
    monkeypatch.setattr(devices, "choose", lambda _: torch.device("cuda", 1))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)

    def labels(part, model, device, networks):
        if device == "cuda:1":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return Volume(organs, affine())

    monkeypatch.setattr(totalseg, "_labels", labels)
    liver = totalseg.totalsegmentator(ct, weights=tmp_path, device="auto")
    assert liver.facts["device"] == "cpu"
    np.testing.assert_array_equal(liver.array, organs == 5)


def test_failures_of_totalsegmentator_set_the_case_aside(ct, tmp_path, monkeypatch):
    api = pytest.importorskip("totalsegmentator.python_api")
    complete(tmp_path, 297)
    before = dict(os.environ)
    for failure in (RuntimeError("no memory"), SystemExit(1)):

        def fail(*_args, failure=failure, **_options):
            raise failure

        monkeypatch.setattr(api, "totalsegmentator", fail)
        with pytest.raises(BadCase, match=f"failed .{type(failure).__name__}"):
            totalseg.totalsegmentator(ct, weights=tmp_path, device="cpu")
    assert dict(os.environ) == before


def test_totalsegmentator_runs_and_sends_nothing(tmp_path):
    pytest.importorskip("totalsegmentator")
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "tiny_totalseg.py", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    last = done.stdout.strip().splitlines()[-1]
    found = json.loads(last.removeprefix("RESULT "))
    assert found["dice"] > 0.95
    assert found["dice_in_air"] > 0.99
    assert found["outside"] == 0
    assert found["dice_split"] > 0.99
    assert found["loaded"] == 1
    assert found["started"] == 0
    assert found["dtype"] == "uint8"
    assert found["same_affine"]
    assert found["asked"] == []
    assert not (home / ".totalsegmentator").exists()
    facts = found["facts"]
    assert facts["model"] == "fast"
    assert facts["device"] == "cpu"
    assert list(facts["weights"]) == ["297"]
    assert facts["volume_ml"] > 100
    assert str(tmp_path) not in json.dumps(facts)
    assert found["environment_kept"]
