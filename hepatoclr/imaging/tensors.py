"""The cache the networks read: clipped int16 slices, compressed one by one, memory-mapped."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hepatoclr.base import files, imports

with imports.without("click"):  # for a command of httpx
    import blosc2

if TYPE_CHECKING:  # reading the cache needs no library of images
    from hepatoclr.imaging.slices import Slice
    from hepatoclr.imaging.volumes import Volume

OPEN = 256  # caches; each takes a file descriptor, of which a process often has 1,024, and 0.1 MB


def preprocess(
    volume: "Volume | None", slices: "list[Slice]", window: tuple[int, int], size: int
) -> np.ndarray:
    """Cut the kept slices out of a CT, clip them, and bring them to one in-plane size.

    Args:
        volume: CT in HU, shape (z, y, x); not looked at where no slice is kept.
        slices: The slices to keep.
        window: Lowest and highest HU.
        size: Rows and columns of the result. Slices of another size are padded to a square
            with the lowest HU and resampled.

    Returns:
        int16 HU in the window, shape (slices, size, size), in the order of `slices`.
    """
    if not slices:
        return np.empty((0, size, size), np.int16)
    kept = np.clip(volume.array[[one.index for one in slices]], *window)
    if kept.shape[1:] != (size, size):
        kept = np.rint(_resized(_square(kept, window[0]), size))
    return kept.astype(np.int16)


def write(slices: np.ndarray, path: str | Path) -> None:
    """Write slices, shape (slices, size, size), chunked one slice each.

    LZ4HC with byte shuffling: five times smaller than plain, and three times quicker to read than
    Zstandard of the same size. A chunk is one block, so that it decompresses to a slice as it is.
    """
    chunk = (1, *slices.shape[1:]) if len(slices) else None
    with files.atomic(path) as temporary:
        blosc2.asarray(
            slices,
            chunks=chunk,
            blocks=chunk,
            urlpath=str(temporary),
            cparams={"codec": blosc2.Codec.LZ4HC, "clevel": 5, "filters": [blosc2.Filter.SHUFFLE]},
        )


def load(path: str | Path) -> blosc2.NDArray:
    """Open a cache without reading it; index it like an array (slices, size, size).

    Raises:
        UserError: The file is damaged.
    """
    with files.unreadable_as_user_error(path):
        return blosc2.open(str(path), mode="r", mmap_mode="r", dparams={"nthreads": 1})


class Caches:
    """The caches of many cases, opened when they are read; the last `OPEN` stay open.

    Attributes:
        shapes: Shape of each.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._open = lru_cache(OPEN)(lambda number: load(paths[number]))
        self.shapes = [load(path).shape for path in paths]

    def __getitem__(self, number: int) -> blosc2.NDArray:
        return self._open(number)


def read(caches: Iterable[blosc2.NDArray], places: Iterable[int], out: np.ndarray) -> None:
    """Read slices of open caches, one of each at its place, into an array (n, size, size).

    Raises:
        UserError: A cache is damaged.
    """
    for cache, place, row in zip(caches, places, out, strict=True):
        with files.unreadable_as_user_error(cache.schunk.urlpath):
            cache.schunk.decompress_chunk(place, dst=row)  # without what indexing costs


def to_ct_pixels(maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring maps of cached slices back to the slices of the CT: the way of `preprocess`, backwards.

    Args:
        maps: Numbers at the pixels of cached slices, shape (n, size, size).
        shape: Rows and columns of the CT.

    Returns:
        float32, shape (n, rows, columns); what lay on the padding is gone.
    """
    side = max(shape)
    (top, left), _ = _margins(*shape)
    square = maps if maps.shape[1] == side else _resized(maps, side)
    return square[:, top : top + shape[0], left : left + shape[1]].astype(np.float32)


def _margins(rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns that make a slice square: before it, and after it."""
    side = max(rows, columns)
    before = (side - rows) // 2, (side - columns) // 2
    return before, (side - rows - before[0], side - columns - before[1])


def _square(slices: np.ndarray, fill: int) -> np.ndarray:
    """Pad rows or columns evenly on both sides."""
    before, after = _margins(*slices.shape[1:])
    return np.pad(slices, [(0, 0), *zip(before, after, strict=True)], constant_values=fill)


def _resized(slices: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, with the filter widened where slices shrink, so that nothing aliases."""
    from PIL import Image  # slices that have the size wanted go without

    resized = [
        np.asarray(Image.fromarray(one.astype(np.float32)).resize((size, size), Image.BILINEAR))
        for one in slices
    ]
    return np.array(resized, np.float32).reshape(-1, size, size)
