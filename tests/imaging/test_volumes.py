"""Volumes: the canonical orientation, files, grids."""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from example_ct import affine, random_hu

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import slices, tensors, volumes
from hepatoclr.imaging.volumes import Volume

ORIENTATIONS = [
    tuple(letters) for axes in permutations(("LR", "PA", "SI")) for letters in product(*axes)
]


@pytest.fixture
def ct() -> Volume:
    """A canonical CT."""
    return Volume(random_hu(), affine())


def as_nifti(ct: Volume) -> nib.Nifti1Image:
    """The CT as NIfTI, unturned."""
    return nib.Nifti1Image(ct.array.transpose(2, 1, 0), ct.affine)


@pytest.mark.parametrize("axes", ORIENTATIONS, ids="".join)
def test_any_storage_orientation_gives_the_same_canonical_volume(ct, axes):
    image = as_nifti(ct)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
    )
    stored = image.as_reoriented(turn)
    assert volumes.orientation(stored.affine) == "".join(axes)
    turned = volumes.canonical(np.asanyarray(stored.dataobj), stored.affine)
    np.testing.assert_array_equal(turned.array, ct.array)
    np.testing.assert_allclose(turned.affine, ct.affine, atol=1e-9)
    assert turned.array.flags.c_contiguous


def test_an_oblique_volume_keeps_its_obliquity():
    angle = np.radians(20)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = tilt @ affine()
    turned = volumes.canonical(random_hu().transpose(2, 1, 0)[::-1], oblique @ flipped_x(16))
    np.testing.assert_allclose(turned.affine, oblique, atol=1e-9)
    np.testing.assert_array_equal(turned.array, random_hu())


def flipped_x(columns: int) -> np.ndarray:
    """Affine from indices of a volume flipped along x to those of the volume."""
    flip = np.eye(4)
    flip[0, 0], flip[0, 3] = -1, columns - 1
    return flip


def test_spacing_volume_and_height(ct):
    assert ct.spacing == pytest.approx((2.5, 0.9, 0.8))
    assert ct.voxel_ml == pytest.approx(2.5 * 0.9 * 0.8 / 1000)
    assert ct.z_mm(3) == pytest.approx(312.25 + 3 * 2.5)


def test_height_of_an_oblique_slice_is_its_middle():
    tilted = affine()
    tilted[2, 1] = 0.3
    height = Volume(random_hu(), tilted).z_mm(np.array([0, 4]))
    np.testing.assert_allclose(height, 312.25 + 0.3 * 9.5 + np.array([0, 4]) * 2.5)


def test_saved_volumes_come_back_and_equal_ones_give_equal_bytes(ct, tmp_path):
    paths = [tmp_path / "a" / "ct.nii.gz", tmp_path / "b" / "ct.nii.gz"]
    for path in paths:
        volumes.save(ct, path)
    back = volumes.load(paths[0])
    np.testing.assert_array_equal(back.array, ct.array)
    assert back.array.dtype == np.int16
    np.testing.assert_allclose(back.affine, ct.affine, atol=1e-5)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert [path.name for path in paths[0].parent.iterdir()] == ["ct.nii.gz"]


def test_same_grid(ct):
    near, far = ct.affine.copy(), ct.affine.copy()
    near[0, 3] += 0.005
    far[0, 0] *= 1.01
    assert volumes.same_grid(ct, Volume(ct.array > 0, near))
    assert not volumes.same_grid(ct, Volume(ct.array > 0, far))
    assert not volumes.same_grid(ct, Volume(ct.array[1:], ct.affine))


@pytest.mark.parametrize("name", ["a.nii.gz", "a.b2nd", "a.csv"])
def test_a_damaged_file_is_named(tmp_path, name):
    ct = Volume(random_hu((9, 40, 40)), affine())
    path, read = {
        "a.nii.gz": (tmp_path / "a.nii.gz", volumes.load),
        "a.b2nd": (tmp_path / "a.b2nd", read_cache),
        "a.csv": (tmp_path / "a.csv", slices.read),
    }[name]
    volumes.save(ct, tmp_path / "a.nii.gz")
    tensors.write(ct.array, tmp_path / "a.b2nd")
    slices.write(slices.central(ct), tmp_path / "a.csv")
    read(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = bytes(255 - byte for byte in whole[middle : middle + 16])
    for damaged in (b"", b"?", whole[:middle], whole[:-3], whole[:middle] + flipped):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=f"{path}: cannot be read .*Remove it, then run"):
            read(path)


def read_cache(path: Path) -> None:
    """Read all of a cache."""
    cache = tensors.load(path)
    tensors.read([cache] * len(cache), range(len(cache)), np.empty(cache.shape, cache.dtype))
