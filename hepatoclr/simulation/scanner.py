"""A CT scanner: samples a synthetic patient, blurs, adds noise, and says where the voxels lie."""

from dataclasses import dataclass, replace

import numpy as np

from hepatoclr.imaging.volumes import AIR, Volume
from hepatoclr.simulation import anatomy, liver
from hepatoclr.simulation.body import LIVER
from hepatoclr.simulation.patients import SITES, Patient

SLAB = 2_000_000  # voxels painted at a time: bounds the memory at 512 x 512


@dataclass(frozen=True)
class Scanner:
    """How one patient was scanned; mm and HU.

    Attributes:
        z, y, x: Sample points in the body, ascending.
        origin: Where body (0, 0, 0) lies in DICOM patient coordinates (x, y, z).
        blur: Standard deviation of the point spread within a slice, in pixels.
        overlap: Share of each neighbour in a slice's profile.
        noise: Standard deviation of the noise.
        grain: Cut-off of the noise spectrum, cycles per pixel.
        floor: Where the ramp of the noise spectrum begins, cycles per pixel: denoising lifts it.
        streaks: How much of the noise lies along x, where rays meet most bone: 0 none, 1 all.
        shading: Depth of the dark band that beam hardening leaves across the body (the rest
            is brighter), and its middle and width along y, in the body.
        table: Height of the table's top (along y, in the body), or infinity where none is seen.
    """

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    origin: tuple[float, float, float]
    blur: float
    overlap: float
    noise: float
    grain: float
    floor: float
    streaks: float
    shading: tuple[float, float, float]
    table: float


def protocol(who: Patient, matrix: int, slice_mm: float) -> Scanner:
    """Draw a protocol; the scan holds the whole liver, some lung above and some bowel below."""
    rng, site = who.rng("scanner"), SITES[who.site]
    width = 2 * who.scale[2] * (150 + 1.1 * who.sizes["fat"])
    view = float(np.clip(width * rng.uniform(1.02, 1.2), 320, 440))
    spacing = slice_mm * site.thickness * float(rng.uniform(0.8, 1.25))
    bottom = who.scale[0] * (liver.BOTTOM - rng.uniform(12, 40))
    top = who.scale[0] * (liver.TOP + rng.uniform(16, 45))
    back = who.scale[1] * (108 + 0.7 * who.sizes["fat"])
    pixel = view / matrix
    across = (np.arange(matrix) - (matrix - 1) / 2) * pixel
    return Scanner(
        z=bottom + spacing * np.arange(int((top - bottom) / spacing) + 1),
        y=across + rng.uniform(-8, 12),
        x=across + rng.uniform(-8, 8),
        origin=tuple(float(o) for o in rng.uniform((-15, -180, -900), (15, -120, -200))),
        # what the tube's focus and the kernel blur, in mm, and what the pixels do
        blur=float(np.hypot(rng.uniform(0.4, 1.0) / pixel, rng.uniform(0.3, 0.5))),
        # thin slices overlap more than thick ones
        overlap=float(rng.uniform(0.04, 0.24) * min(1, 5 / spacing)),
        noise=site.noise * float(np.exp(rng.uniform(np.log(7), np.log(26)))),
        grain=site.sharpness * float(np.exp(rng.uniform(np.log(0.16), np.log(0.5)))),
        floor=float(np.exp(rng.uniform(np.log(0.001), np.log(0.12)))),
        streaks=float(rng.uniform(0.1, 0.65)),
        shading=_shading(rng, who),
        table=back + 5 if rng.random() < site.table else np.inf,
    )


def _shading(rng: np.random.Generator, who: Patient) -> tuple[float, float, float]:
    """Draw the dark band of beam hardening: deep in those whose arms lie beside the body."""
    deep = rng.random() < 0.35 or who.sizes["arms"]
    depth = rng.uniform(15, 65) if deep else rng.uniform(0, 8)
    return float(depth), float(rng.uniform(20, 60)), float(rng.uniform(35, 85))


def scan(
    who: Patient, matrix: int, slice_mm: float, heights: tuple[float, float] | None = None
) -> tuple[Volume, Volume]:
    """Scan a patient.

    Args:
        who: The patient.
        matrix: Pixels along a side of a slice.
        slice_mm: Nominal distance between slices; each patient's is 0.7 to 1.4 times this.
        heights: Scan only between these heights of the reference body, mm; whole if None.

    Returns:
        The CT (int16 HU) and the true liver mask (uint8), canonical, on one grid.
    """
    scanner = protocol(who, matrix, slice_mm)
    if heights:
        low, high = np.searchsorted(scanner.z, np.multiply(heights, who.scale[0]))
        scanner = replace(scanner, z=scanner.z[low:high])
    pixel = float(scanner.x[1] - scanner.x[0])
    step = max(SLAB // matrix**2, 1)
    slabs = [
        anatomy.render(who, scanner.z[k : k + step], scanner.y, scanner.x, pixel)
        for k in range(0, len(scanner.z), step)
    ]
    density, labels = (np.concatenate(part) for part in zip(*slabs, strict=True))
    density = np.maximum(density, table(scanner))
    seen = reconstruct(density, scanner, who.rng("noise"))
    affine = placement(scanner)
    mask = (labels == LIVER).astype(np.uint8)
    return Volume(seen, affine), Volume(mask, affine)


def table(scanner: Scanner) -> np.ndarray:
    """Density of the patient table in every slice, shape (y, x): thin shells around foam."""
    if not np.isfinite(scanner.table):
        return np.full((len(scanner.y), len(scanner.x)), AIR, np.float32)
    depth = scanner.table + 80
    below = depth * (np.hypot(scanner.x / 280, (scanner.y[:, None] + 80) / depth) - 1)
    pixel = scanner.x[1] - scanner.x[0]
    shell = np.minimum(np.abs(below), np.abs(below - 16))
    foam = np.where((below > 0) & (below < 16), -940, AIR)
    return (foam + 1100 * np.clip(1.5 / pixel - shell / pixel, 0, 1)).astype(np.float32)


def placement(scanner: Scanner) -> np.ndarray:
    """Voxel (x, y, z) to RAS+ mm; the body's axes are DICOM's, left and back."""
    steps = [axis[1] - axis[0] for axis in (scanner.x, scanner.y, scanner.z)]
    first = [axis[0] for axis in (scanner.x, scanner.y, scanner.z)]
    affine = np.diag([-steps[0], -steps[1], steps[2], 1.0])
    affine[:3, 3] = np.add(first, scanner.origin) * (-1, -1, 1)
    return affine


def reconstruct(density: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Blur as a scanner does, add its noise and shading, leave air outside the circle it sees.

    Noise power rises with frequency (the ramp of filtered back-projection, flattened by what is
    done against noise) and falls at the kernel's cut-off. Most of it lies along x, and it is
    strongest in the middle of the body, where most dose is absorbed.
    """
    size = density.shape[1]
    along, across = np.fft.rfftfreq(size), np.fft.fftfreq(size)[:, None]
    frequency = np.hypot(along, across)
    transfer = np.exp(-2 * (np.pi * scanner.blur * frequency) ** 2)
    turned = (across**2 - along**2) / np.maximum(frequency**2, 1e-9)
    ramp = np.sqrt((frequency + scanner.floor) * (1 + scanner.streaks * turned))
    ramp *= np.exp(-((frequency / scanner.grain) ** 2))
    noise = _filter(rng.standard_normal(density.shape, dtype=np.float32), ramp)
    noise = _through_slices(noise, scanner.overlap)
    side = np.linspace(-1, 1, size, dtype=np.float32)
    radius = np.hypot(side, side[:, None])
    strength = scanner.noise * (0.65 + 0.5 * np.exp(-2 * radius**2)) / float(noise.std())
    depth, middle, width = scanner.shading
    dark = depth * (np.exp(-(((scanner.y - middle) / width) ** 2)) - 0.3)
    seen = _through_slices(density, scanner.overlap)
    seen -= dark.astype(np.float32)[:, None] * (seen > -200)
    seen = _filter(seen, transfer) + strength * noise
    seen = np.clip(np.rint(seen), AIR, 3071).astype(np.int16)
    seen[:, radius > 1] = AIR
    return seen


def _filter(slices: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    """Multiply the 2-D spectrum of every slice."""
    spectrum = np.fft.rfft2(slices) * spectrum.astype(np.float32)
    return np.fft.irfft2(spectrum, s=slices.shape[1:])


def _through_slices(density: np.ndarray, overlap: float) -> np.ndarray:
    """Let each slice see a share of its neighbours: the partial volume of thick slices."""
    seen = density * (1 - 2 * overlap)
    seen[1:] += overlap * density[:-1]
    seen[:-1] += overlap * density[1:]
    seen[[0, -1]] += overlap * density[[0, -1]]
    return seen
