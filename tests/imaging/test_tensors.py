import numpy as np
import pytest

from hepatoclr.imaging import slices, tensors, volumes


@pytest.fixture
def ct():
    rng = np.random.default_rng(0)
    return volumes.Volume(rng.integers(-1024, 1500, (6, 20, 20)).astype(np.int16), np.eye(4))


def kept(*indices):
    return [slices.Slice(index, 0.0, 0.5, 1.0) for index in indices]


def test_pixels_are_the_cts_in_the_window(ct):
    found = tensors.preprocess(ct, kept(4, 1), (-100, 400), 20)
    assert found.dtype == np.int16
    assert np.array_equal(found, np.clip(ct.array[[4, 1]], -100, 400))


def test_another_size_is_padded_to_a_square_and_resampled():
    array = np.full((2, 10, 20), 300, np.int16)
    found = tensors.preprocess(volumes.Volume(array, np.eye(4)), kept(0), (-100, 400), 40)
    assert found.shape == (1, 40, 40)
    assert (found[0, :8] == -100).all()
    assert (found[0, 14:26] == 300).all()
    assert (found[0, 32:] == -100).all()


def test_resampling_does_not_shift(ct):
    mirrored = volumes.Volume(ct.array[:, ::-1, ::-1], ct.affine)
    plain = tensors.preprocess(ct, kept(0), (-100, 400), 13).astype(int)
    again = tensors.preprocess(mirrored, kept(0), (-100, 400), 13).astype(int)
    assert np.abs(plain - again[:, ::-1, ::-1]).max() <= 1


def test_round_trip_is_lossless_and_a_chunk_a_slice(ct, tmp_path):
    found = tensors.preprocess(ct, kept(5, 3, 0), (-100, 400), 20)
    tensors.write(found, tmp_path / "case.b2nd")
    cache = tensors.load(tmp_path / "case.b2nd")
    assert cache.chunks == (1, 20, 20)
    assert np.array_equal(cache[:], found)
    assert np.array_equal(cache[1], found[1])


def test_no_slices(tmp_path):
    tensors.write(tensors.preprocess(None, [], (-100, 400), 20), tmp_path / "case.b2nd")
    assert tensors.load(tmp_path / "case.b2nd").shape == (0, 20, 20)


def test_equal_slices_give_equal_bytes(ct, tmp_path):
    for name in ("a", "b"):
        tensors.write(ct.array, tmp_path / f"{name}.b2nd")
    assert (tmp_path / "a.b2nd").read_bytes() == (tmp_path / "b.b2nd").read_bytes()


@pytest.mark.parametrize("size", [16, 33, 80, 512])
def test_slices_are_read_as_they_were_written(tmp_path, size):
    rng = np.random.default_rng(size)
    slices = rng.integers(-100, 401, (5, size, size)).astype(np.int16)
    tensors.write(slices, tmp_path / "x.b2nd")
    cache, out = tensors.load(tmp_path / "x.b2nd"), np.empty((3, size, size), np.int16)
    tensors.read([cache] * 3, [4, 0, 2], out)
    assert np.array_equal(out, slices[[4, 0, 2]])


SHAPES = [(9, 16), (16, 9), (13, 13), (16, 11)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [16, 23, 32, 50])
def test_a_marked_pixel_comes_back_where_it_was(shape, size):
    for place in [(0, 0), (shape[0] - 1, 0), (2, 7), (shape[0] - 1, shape[1] - 1)]:
        array = np.full((1, *shape), -100, np.int16)
        array[0][place] = 400
        seen = tensors.preprocess(volumes.Volume(array, np.eye(4)), kept(0), (-100, 400), size)
        back = tensors.to_ct_pixels(seen, shape)
        assert back.shape == array.shape
        assert np.unravel_index(back[0].argmax(), shape) == place


@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (150, 150)])
def test_a_mark_comes_back_within_a_pixel_of_the_network_where_slices_shrink(shape):
    array = np.full((1, *shape), -100, np.int16)
    array[0, 60, 70] = 400
    seen = tensors.preprocess(volumes.Volume(array, np.eye(4)), kept(0), (-100, 400), 40)
    back = tensors.to_ct_pixels(seen, shape)[0] + 100
    found = (np.indices(shape) * back).sum(axis=(1, 2)) / back.sum()
    assert np.abs(found - [60, 70]).max() <= max(shape) / 40 / 2


def test_a_slice_of_the_networks_size_comes_back_as_it_was(ct):
    seen = tensors.preprocess(ct, kept(3), (-100, 400), 20)
    assert np.array_equal(tensors.to_ct_pixels(seen, (20, 20)), seen)
