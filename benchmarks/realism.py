"""Whether simulated CT looks like real CT: what the pixels of the liver are, measured in both.

    python -m benchmarks.realism [--patients 24] [--processes 2] [--figure PATH]
    python -m benchmarks.realism --montage docs/images/simulated_patients.png

Reads the real CTs of ../shared/ct and scans simulated patients of all stages, a few slices each.
Prints a table in Markdown: each measure in each real CT, its range (and 5 to 95 %) in simulated
patients, and how many of the real values lie within. CT of 3 mm voxels is compared with simulated
CT resampled to 3 mm. `--figure` draws real and simulated CT side by side, and their livers enlarged
to a second file; `--montage` draws simulated CT alone and measures nothing.
"""

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import common
from hepatoclr.imaging import ingest, segment, volumes
from hepatoclr.imaging.volumes import Volume
from hepatoclr.simulation import scanner
from hepatoclr.simulation.patients import patient

CTS = Path(__file__).resolve().parents[2] / "shared" / "ct"
NATIVE, COARSE = ("CHAOS", "TS DICOM"), ("TS example", "TS slab")  # COARSE: 3 mm, no contrast
REAL = {  # name: CT, mask, the liver's label in it
    "CHAOS": ("chaos_dicom", "chaos_liver.nii.gz", None),
    "TS DICOM": ("totalseg_dicom", "totalseg_dicom_seg.nii.gz", 5),
    "TS example": ("totalseg_example_ct.nii.gz", "totalseg_example_ct_seg.nii.gz", 5),
    "TS slab": ("totalseg_example_ct_sm.nii.gz", "totalseg_example_ct_sm_seg.nii.gz", 5),
}
MATRIX, SLICE_MM, SEED = 512, 2.5, 20
HEIGHTS = (-78.0, -58.0)  # of the reference body: through the thick of the liver
EROSION_MM = 3.0
LAGS_MM = (1, 2, 4, 8)
CONTRAST = ("mean, HU", "median, HU")
WINDOW = (-100, 200)  # HU, black to white
ZOOM_MM = 130.0
LEVELS = (-45.0, -68.0, -92.0)  # heights of slices that are drawn
GREYS = 24  # of the montage: keeps the file small
PATCH = {1.5: 32, 99.0: 12}  # up to this pixel size (mm), pixels along a side of a patch


def real(name: str, folder: Path = CTS) -> tuple[Volume, Volume]:
    """Read a real CT and its liver."""
    image, mask, label = REAL[name]
    ct = ingest.read_ct(folder / image)
    return ct, segment.liver(ct, "provided", mask=folder / mask, label=label)


def simulated(index: int, heights: tuple[float, float] = HEIGHTS) -> tuple[Volume, Volume]:
    """Scan some slices of simulated patient `index`, of stage `index` modulo 5."""
    return scanner.scan(patient((SEED, index), index % 5), MATRIX, SLICE_MM, heights)


def coarse(volume: Volume, mm: float = 3.0, order: int = 3) -> Volume:
    """Resample to isotropic voxels by splines, as TotalSegmentator does; order 0 for masks."""
    from scipy import ndimage

    shape = np.maximum(1, np.rint(np.array(volume.array.shape) * volume.spacing / mm))
    zoom = shape / volume.array.shape
    found = ndimage.zoom(volume.array, zoom, order=order, mode="nearest", grid_mode=True)
    return Volume(found, volume.affine @ np.diag([*1 / zoom[::-1], 1.0]))


def eroded(liver: Volume) -> np.ndarray:
    """What lies deeper in the liver than 3 mm, shape (z, y, x)."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray((liver.array > 0).astype(np.uint8))
    image.SetSpacing(liver.spacing[::-1])
    depth = sitk.SignedMaurerDistanceMap(image, False, False, True)
    return sitk.GetArrayFromImage(depth) < -EROSION_MM


def histogram(values: np.ndarray) -> dict[str, float]:
    """Mean, median and SD in HU; other quantiles as they lie from the median."""
    low, lower, middle, upper, high = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    return {
        "mean, HU": values.mean(),
        "SD, HU": values.std(),
        "median, HU": middle,
        "5 % quantile - median, HU": low - middle,
        "25 % quantile - median, HU": lower - middle,
        "75 % quantile - median, HU": upper - middle,
        "95 % quantile - median, HU": high - middle,
    }


def patches(hu: np.ndarray, inside: np.ndarray, side: int) -> np.ndarray:
    """Squares of `side` pixels within the liver, less their second-order trend, (n, side, side)."""
    y, x = (a.ravel() - (side - 1) / 2 for a in np.mgrid[:side, :side])
    trend = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    trend, _ = np.linalg.qr(trend)
    found = []
    for image, mask in zip(hu, inside, strict=True):
        for top in range(0, mask.shape[0] - side + 1, side // 2):
            for left in range(0, mask.shape[1] - side + 1, side // 2):
                part = np.s_[top : top + side, left : left + side]
                if mask[part].all():
                    found.append(image[part].ravel())
    flat = np.array(found, float).reshape(-1, side * side)
    return (flat - flat @ trend @ trend.T).reshape(-1, side, side)


def spectrum(parts: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Radial noise power spectrum of detrended patches.

    The half of the patches that varies least is taken, as those with vessels show no noise alone.

    Returns:
        Frequencies, 1/mm, and power, HU^2 mm^2.
    """
    side = parts.shape[1]
    spread = parts.std(axis=(1, 2))
    parts = parts[spread <= np.median(spread)]
    window = np.hanning(side + 2)[1:-1]
    window = np.outer(window, window)
    power = (np.abs(np.fft.fft2(parts * window)) ** 2).mean(axis=0)
    power *= pixel**2 / (window**2).sum()
    frequency = np.fft.fftfreq(side, pixel)
    radius = np.hypot(frequency, frequency[:, None])
    step = 1 / (side * pixel)
    ring = np.rint(radius / step).astype(int)
    count = side // 2
    mean = [power[ring == k].mean() for k in range(1, count + 1)]
    return step * np.arange(1, count + 1), np.array(mean)


def noise(parts: np.ndarray, pixel: float) -> dict[str, float]:
    """Peak and mean frequency and the integral (as SD) of the noise power spectrum."""
    frequency, power = spectrum(parts, pixel)
    ring = power * frequency
    return {
        "NPS peak, 1/mm": frequency[power.argmax()],
        "NPS mean, 1/mm": (ring * frequency).sum() / ring.sum(),
        "noise SD (root of NPS integral), HU": np.sqrt(
            2 * np.pi * ring.sum() * (frequency[1] - frequency[0])
        ),
    }


def autocorrelation(hu: np.ndarray, inside: np.ndarray, pixel: float) -> np.ndarray:
    """Autocorrelation in the slices at lags of 0, 1, 2 ... pixels, along x and y together.

    It ends beyond the largest of LAGS_MM where it has fallen below 1/e, or at 60 mm.
    """
    values = np.where(inside, hu - hu[inside].mean(), 0).astype(np.float32)
    found = []
    for lag in range(int(60 / pixel)):
        product = pairs = 0.0
        for axis in (1, 2):
            here, there = [slice(None)] * 3, [slice(None)] * 3
            here[axis], there[axis] = slice(0, hu.shape[axis] - lag), slice(lag, None)
            here, there = tuple(here), tuple(there)
            product += float(np.einsum("zyx,zyx->", values[here], values[there], dtype=float))
            pairs += np.count_nonzero(inside[here] & inside[there])
        found.append(product / max(pairs, 1))
        if found[-1] < found[0] / np.e and (lag - 1) * pixel > max(LAGS_MM):
            break
    return np.array(found) / found[0]


def correlation(hu: np.ndarray, inside: np.ndarray, pixel: float) -> dict[str, float]:
    """The autocorrelation at some lags, and the lag at which it falls to 1/e."""
    curve = autocorrelation(hu, inside, pixel)
    mm = pixel * np.arange(len(curve))
    below = int(np.argmax(curve < np.exp(-1))) or len(curve) - 1
    length = np.interp(np.exp(-1), curve[[below, below - 1]], mm[[below, below - 1]])
    at = {
        f"autocorrelation at {lag} mm": np.interp(lag, mm, curve) if lag > 0.9 * pixel else np.nan
        for lag in LAGS_MM
    }
    return {"autocorrelation length, mm": length} | at


def edge(hu: np.ndarray, pixel: float) -> float:
    """Width of the skin against air in front, from 10 to 90 %, mm: median over lines of sight."""
    middle = hu.shape[2] // 2
    reach = int(40 / pixel)
    lines = hu[:, :, middle - reach : middle + reach].transpose(0, 2, 1).reshape(-1, hu.shape[1])
    found = []
    for line in lines:
        hit = np.flatnonzero(line > -300)
        if not len(hit) or hit[0] < 8:
            continue
        part = line[hit[0] - 6 : hit[0] + 6].astype(float)
        low, high = part[:3].mean(), part[6:9].max()
        share = np.maximum.accumulate((part - low) / (high - low))
        share += 1e-9 * np.arange(len(share))
        found.append(np.interp(0.9, share, np.arange(12)) - np.interp(0.1, share, np.arange(12)))
    return float(np.median(found)) * pixel if found else np.nan


def coarse_spread(hu: np.ndarray, inside: np.ndarray, pixel: float) -> float:
    """SD of the means over squares of 9 mm: what remains when noise is averaged away."""
    side = max(1, round(9 / pixel))
    rows, columns = (n // side * side for n in hu.shape[1:])
    shape = (len(hu), rows // side, side, columns // side, side)
    whole = inside[:, :rows, :columns].reshape(shape).all(axis=(2, 4))
    means = hu[:, :rows, :columns].reshape(shape).mean(axis=(2, 4))[whole]
    low, high = np.quantile(means, (0.05, 0.95))
    return float((high - low) / 3.29)


def measures(ct: Volume, liver: Volume) -> dict[str, float]:
    """All measures of one CT."""
    deep = eroded(liver)
    box = volumes.box(deep)
    hu, inside, pixel = ct.array[box].astype(np.float32), deep[box], ct.spacing[2]
    side = next(side for limit, side in PATCH.items() if pixel < limit)
    parts = patches(hu, inside, side)
    return {
        **histogram(hu[inside]),
        "SD of 9 mm squares, HU": coarse_spread(hu, inside, pixel),
        **(noise(parts, pixel) if len(parts) else {}),
        **correlation(hu, inside, pixel),
        "skin edge 10-90 %, mm": edge(ct.array, pixel) if pixel < 1.5 else np.nan,
    }


def measured_real(name: str) -> dict[str, float]:
    """The measures of a real CT."""
    return measures(*real(name))


def measured(index: int) -> tuple[dict[str, float], dict[str, float]]:
    """The measures of a simulated patient, as scanned and resampled to 3 mm."""
    ct, liver = simulated(index)
    return measures(ct, liver), measures(coarse(ct), coarse(liver, order=0))


def table(real_ones: Mapping[str, Mapping], patients: Sequence[tuple]) -> str:
    """Write the comparison in Markdown, a row per measure."""
    head = ["measure"]
    for names, what in ((NATIVE, "simulated"), (COARSE, "simulated, 3 mm")):
        head += [*names, what, "within"]
    lines = []
    for measure in next(iter(real_ones.values())):
        line = [measure]
        for names, resampled in ((NATIVE, 0), (COARSE, 1)):
            values = [real_ones[name].get(measure, np.nan) for name in names]
            drawn = np.array([patient[resampled].get(measure, np.nan) for patient in patients])
            line += _compared(values, drawn)
        if measure in CONTRAST:  # a property of the phase, not of how the scan looks
            line[-1] = "no contrast"
        lines.append(line)
    return common.markdown(head, lines)


def _compared(values: Sequence[float], drawn: np.ndarray) -> list[str]:
    """Cells: real values, range and 5 to 95 % of simulated ones, how many lie within the range."""
    if np.isnan(values).all() or np.isnan(drawn).all():
        return ["-"] * (len(values) + 2)
    low, lower, upper, high = np.nanquantile(drawn, (0, 0.05, 0.95, 1))
    size = np.nanmax(np.abs(drawn))
    form = "{:.0f}" if size > 60 else "{:.1f}" if size > 2 else "{:.3f}"
    spread = f"{form} to {form} ({form} to {form})".format(low, high, lower, upper)
    within = sum(low <= value <= high for value in values)
    return [*(form.format(value) for value in values), spread, f"{within} of {len(values)}"]


# --- pictures ------------------------------------------------------------------------------


def shown(slice_: np.ndarray) -> np.ndarray:
    """HU in the soft-tissue window as grey values 0..255."""
    low, high = WINDOW
    return (np.clip((slice_.astype(float) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def tile(ct: Volume, liver: Volume, k: int, side: int, mm: float | None = None) -> np.ndarray:
    """Slice `k` on `side` pixels; with `mm`, that much of it around the middle of the liver."""
    image = shown(ct.array[k])
    if mm:
        rows, columns = np.nonzero(liver.array[k])
        half = int(mm / ct.spacing[2] / 2)
        image = np.pad(image, half)  # so that the liver's surroundings are there, whatever it is
        top, left = int(np.median(rows)), int(np.median(columns))
        image = image[top : top + 2 * half, left : left + 2 * half]
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def real_tiles(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Slices of a real CT, whole and enlarged, at three heights of the liver."""
    ct, liver = real(name)
    area = liver.array.sum(axis=(1, 2))
    held = np.flatnonzero(area > 0.4 * area.max())
    chosen = [held[int(share * (len(held) - 1))] for share in (0.8, 0.5, 0.2)]
    return [(tile(ct, liver, k, 512), tile(ct, liver, k, 512, ZOOM_MM)) for k in chosen]


def simulated_tiles(index: int, side: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """A slice of a simulated patient, whole and enlarged; heights differ from one to the next."""
    height = LEVELS[index // 5 % len(LEVELS)]
    ct, liver = simulated(index, (height - 6, height + 6))
    k = len(ct.array) // 2
    return tile(ct, liver, k, side), tile(ct, liver, k, side, ZOOM_MM)


def montage(tiles: Sequence[np.ndarray], columns: int) -> Image.Image:
    """Put square tiles into rows."""
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return Image.fromarray(np.vstack(rows))


def draw_figure(path: Path, pool: ProcessPoolExecutor) -> None:
    """Draw real CT (a row each) with simulated CT beside it: whole slices, and livers enlarged."""
    real_ones = list(pool.map(real_tiles, (*NATIVE, COARSE[0])))
    drawn = list(pool.map(simulated_tiles, range(9)))
    for which, target in enumerate((path, path.with_stem(f"{path.stem}_livers"))):
        tiles = []
        for row, of_real in enumerate(real_ones):
            tiles += [one[which] for one in (*of_real, *drawn[3 * row : 3 * row + 3])]
        montage(tiles, 6).save(target)


def draw_montage(path: Path, pool: ProcessPoolExecutor) -> None:
    """Draw simulated patients alone, a row per stage F0 to F4."""
    count = 5 * len(LEVELS)
    drawn = list(pool.map(partial(simulated_tiles, side=240), range(count)))
    tiles = [drawn[stage + 5 * column][0] for stage in range(5) for column in range(count // 5)]
    montage(tiles, count // 5).quantize(GREYS).save(path, optimize=True)


def main() -> None:
    """Measure and print, or draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=24, help="simulated patients (24)")
    parser.add_argument("--processes", type=int, default=2, help="at a time (2)")
    parser.add_argument("--figure", type=Path, help="PNG of real beside simulated CT")
    parser.add_argument("--montage", type=Path, help="only draw simulated CT to this PNG")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        if given.montage:
            draw_montage(given.montage, pool)
            return
        patients = pool.map(measured, range(given.patients))
        real_ones = pool.map(measured_real, REAL)
        print(table(dict(zip(REAL, real_ones, strict=True)), list(patients)))
        if given.figure:
            draw_figure(given.figure, pool)


if __name__ == "__main__":
    main()
