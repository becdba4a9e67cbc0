"""The picture of a case: what is where, true to scale, and nothing but pixels in the file."""

import struct

import numpy as np
import pytest
from PIL import Image

from hepatoclr.imaging import slices, volumes
from hepatoclr.imaging.volumes import Volume
from hepatoclr.quality import qc_image

WINDOW = (-100, 400)
SPACING = 4.0, 1.0, 2.0  # z, y, x
BOX = slice(10, 30), slice(40, 90), slice(20, 60)  # the liver: 80 x 50 x 80 mm
FACTS = {"volume_ml": 320.0, "liver_hu": 100.0}
REASON = {"excluded": "slices are missing between z = 102.5 and 110 mm", "stage": "ingest"}


def grid(array):
    return Volume(array, np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0]))


@pytest.fixture(scope="module")
def liver():
    mask = np.zeros((40, 120, 80), np.uint8)
    mask[BOX] = 1
    return grid(mask)


@pytest.fixture(scope="module")
def ct(liver):
    return grid(np.where(liver.array > 0, 100, 40).astype(np.int16))


@pytest.fixture(scope="module")
def kept(liver):
    return slices.central(liver)


def pixels(image):
    return np.asarray(image.convert("RGB"))


def panel(image, place, row):
    """A panel of the picture, by its place in the upper (0) or lower (1) row."""
    width, height = (qc_image.AXIAL, qc_image.LOWER)[row]
    left = qc_image.MARGIN + place * (width + qc_image.MARGIN)
    top = qc_image.HEADER + row * (qc_image.AXIAL[1] + qc_image.MARGIN) + qc_image.LABEL
    return pixels(image)[top : top + height - qc_image.LABEL, left : left + width]


def where(pixels, colour):
    """Rows and columns of a colour's pixels."""
    return np.argwhere((pixels == qc_image.COLOURS[colour]).all(axis=-1)).T


def span(places):
    return int(places.max() - places.min() + 1)


def test_the_outline_is_true_to_scale(ct, liver, kept):
    image = qc_image.draw("7", ct, liver, kept, FACTS, WINDOW)
    # the width is what limits the first two, 160 mm; the height the last, 160 mm
    scales = (
        qc_image.AXIAL[0] / 160,
        qc_image.LOWER[0] / 160,
        (qc_image.LOWER[1] - qc_image.LABEL) / 160,
    )
    sections = ((0, 0, 50, 80), (0, 1, 80, 80), (1, 1, 80, 50))
    for (place, row, height, width), scale in zip(sections, scales, strict=True):
        rows, columns = where(panel(image, place, row), qc_image.LIVER)
        assert span(rows) == pytest.approx(height * scale, abs=2)
        assert span(columns) == pytest.approx(width * scale, abs=2)


def test_lines_mark_the_kept_band(ct, liver, kept):
    image = qc_image.draw("7", ct, liver, kept, FACTS, WINDOW)
    assert [one.index for one in kept] == list(range(26, 12, -1))
    for place in (0, 1):
        shown = panel(image, place, 1)
        outline, _ = where(shown, qc_image.LIVER)
        lines, _ = where(shown, qc_image.BAND)
        scale = span(outline) / 80
        assert lines.min() - outline.min() == pytest.approx(3 * 4 * scale, abs=2)
        assert outline.max() - lines.max() == pytest.approx(3 * 4 * scale, abs=2)


def test_axial_slices_lie_evenly_in_the_kept_band(ct, liver, kept):
    case = qc_image.Case(ct, liver, kept, WINDOW)
    assert case.axial == [25, 21, 18, 14]
    assert qc_image.Case(ct, liver, kept[:2], WINDOW).axial == [26, 25]
    assert qc_image.Case(ct, None, [], WINDOW).axial == [35, 25, 15, 5]


def test_right_is_left_front_is_up_head_is_up(ct, liver, kept):
    marked = ct.array.copy()
    marked[:, :12, :8] = 400  # the patient's right, front
    marked[36:, 36:46, :8] = 400  # right, head, in the coronal section
    marked[36:, :12, 18:22] = 400  # front, head, in the sagittal one
    image = qc_image.draw("7", grid(marked), liver, kept, FACTS, WINDOW)
    bright = (panel(image, 0, 0) > 240).all(axis=-1)
    rows, columns = bright.nonzero()
    assert rows.mean() < bright.shape[0] / 3
    assert columns.mean() < bright.shape[1] / 3
    for place in (0, 1):
        shown = panel(image, place, 1)
        row, column = np.argwhere((shown > 240).all(axis=-1))[0]
        outline_rows, outline_columns = where(shown, qc_image.LIVER)
        assert row < outline_rows.min()
        assert column < outline_columns.min()


def test_the_window_is_shown(ct, liver, kept):
    array = np.full_like(ct.array, 150)
    array[:, 40:80, :40], array[:, 40:80, 40:] = -150, 1000
    middle = panel(qc_image.draw("7", grid(array), None, [], {}, WINDOW), 0, 0)
    height, width = middle.shape[:2]
    levels = [middle[height // 2, width * share // 8].tolist() for share in (3, 5)]
    assert levels == [[0] * 3, [255] * 3]
    grey = middle[height // 8, width // 2].tolist()
    assert grey == pytest.approx([128] * 3, abs=4)


def test_only_the_body_some_way_around_the_liver_is_shown(ct, liver):
    air = np.full((90, 120, 80), -1000, np.int16)
    air[:, 32:100, 16:64] = 0
    mask = np.zeros(air.shape, np.uint8)
    mask[30:50, 40:80, 30:50] = 1
    case = qc_image.Case(grid(air), grid(mask), [], WINDOW)
    assert case.seen == (slice(15, 65), slice(32, 100), slice(16, 64))
    nothing = qc_image.Case(grid(np.full_like(air, -1000)), None, [], WINDOW)
    assert nothing.seen == (slice(0, 90), slice(0, 120), slice(0, 80))


def test_a_case_without_liver_shows_the_ct_and_the_reason(ct):
    image = qc_image.draw("7", ct, None, [], REASON, WINDOW)
    found = pixels(image)
    assert image.size == qc_image.SIZE
    for colour in qc_image.COLOURS:
        assert where(found, colour).size == 0
    assert len(np.unique(panel(image, 0, 1))) > 1
    other = pixels(qc_image.draw("7", ct, None, [], {**REASON, "excluded": "no"}, WINDOW))
    assert (found[: qc_image.HEADER] != other[: qc_image.HEADER]).any()


def test_a_case_without_ct_shows_the_reason_within_the_margins():
    long = {"excluded": " ".join(["a long reason,"] * 99), "stage": "ingest"}
    image = qc_image.draw("w" * 201, None, None, [], long, WINDOW, synthetic=True)
    shown = pixels(image)
    assert image.size == qc_image.SIZE
    margin = shown[:, -qc_image.MARGIN // 2 :], shown[-qc_image.MARGIN // 2 :]
    assert all((part == shown[0, 0]).all() for part in margin)
    assert (shown[: qc_image.HEADER] > 100).any()
    assert (shown[qc_image.HEADER :] > 100).any()


def test_a_synthetic_case_says_so(ct, liver, kept):
    real, synthetic = (
        pixels(qc_image.draw("7", ct, liver, kept, FACTS, WINDOW, synthetic=is_synthetic))
        for is_synthetic in (False, True)
    )
    assert (real[:40] != synthetic[:40]).any()
    assert (real[40:] == synthetic[40:]).all()


def test_equal_cases_give_equal_bytes_without_metadata(ct, liver, kept, tmp_path):
    for name in "ab":
        image = qc_image.draw("7", ct, liver, kept, FACTS, WINDOW)
        qc_image.save(image, tmp_path / "qc" / f"{name}.png")
    first, second = ((tmp_path / "qc" / f"{name}.png").read_bytes() for name in "ab")
    assert first == second
    assert set(chunks(first)) == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    with Image.open(tmp_path / "qc" / "a.png") as again:
        assert again.size == qc_image.SIZE
        assert not again.info


def chunks(png):
    place = 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        yield png[place + 4 : place + 8]
        place += 12 + length


def test_an_empty_file_stands_for_no_volume(ct, tmp_path):
    (tmp_path / "none.nii.gz").touch()
    assert qc_image.read(tmp_path / "none.nii.gz") is None
    volumes.save(ct, tmp_path / "ct.nii.gz")
    assert (qc_image.read(tmp_path / "ct.nii.gz").array == ct.array).all()


def test_the_outline_of_a_real_liver(shared_ct):
    ct = volumes.load(shared_ct / "totalseg_example_ct.nii.gz")
    organs = volumes.load(shared_ct / "totalseg_example_ct_seg.nii.gz")
    liver = Volume((organs.array == 5).astype(np.uint8), organs.affine)
    image = qc_image.draw("example", ct, liver, slices.central(liver), {}, WINDOW)
    _, columns = where(panel(image, 0, 1), qc_image.LIVER)
    assert 0 < columns.mean() < qc_image.LOWER[0] / 2  # on the patient's right
