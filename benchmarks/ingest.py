"""Time and memory from a DICOM folder to tensors, beside SimpleITK and MONAI on the same series.

    pip install --no-deps -r benchmarks/requirements.txt
    python benchmarks/ingest.py

A series of 512x512x200 is made of real slices (or, without --source, of a noisy body). In turn,
each in a process of its own and several times over:

- hepatoclr: folder -> volume (nii.gz) -> slices -> tensors, as the rules do it, the mask given;
- SimpleITK: reads the series and writes it as nii.gz, a floor for what keeps volumes;
- MONAI: LoadImage, Orientation, ScaleIntensityRange, cached by PersistentDataset.

Memory is the highest resident set above that after imports, in multiples of the int16 volume.
"""

import argparse
import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPE = (200, 512, 512)
VOLUME_MB = np.prod(SHAPE) * 2 / 1e6


def write_series(folder: Path, source: Path | None) -> None:
    """Write the series, uncompressed, one file per slice."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    random = np.random.default_rng(1)
    paths = sorted(source.iterdir()) if source else [Path(get_testdata_file("CT_small.dcm"))]
    folder.mkdir()
    for number in range(SHAPE[0]):
        one = dcmread(paths[number % len(paths)])
        if not source:
            y, x = np.mgrid[-1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
            hu = np.where(x**2 + 2 * y**2 < 0.7, random.normal(60, 15, SHAPE[1:]), -1000)
            one.PixelData = (hu - float(one.RescaleIntercept)).astype(np.int16).tobytes()
            one.Rows, one.Columns = SHAPE[1:]
        one.ImagePositionPatient = [-180.0, -180.0, 2.0 * number]
        one.InstanceNumber = number + 1
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        one.save_as(folder / f"{number:03d}.dcm")


def by_hepatoclr(series: Path, out: Path) -> Callable[[], None]:
    """From the folder to tensors, through the files that the rules leave."""
    import pydicom.pixels  # noqa: F401 - imported before the clock runs

    from hepatoclr.imaging import ingest, slices, tensors, volumes

    mask = np.zeros(SHAPE, np.uint8)
    mask[60:140, 150:350, 100:300] = 1

    def run() -> None:
        ct = ingest.read_ct(series)
        volumes.save(ct, out / "volume.nii.gz")
        kept = slices.central(volumes.Volume(mask, ct.affine), 0.7)
        del ct
        clipped = tensors.preprocess(volumes.load(out / "volume.nii.gz"), kept, (-100, 400), 512)
        tensors.write(clipped, out / "tensors.b2nd")

    return run


def by_simpleitk(series: Path, out: Path) -> Callable[[], None]:
    """Read and write, no more."""
    import SimpleITK as sitk

    def run() -> None:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series))
        sitk.WriteImage(sitk.ReadImage(names), str(out / "volume.nii.gz"), useCompression=True)

    return run


def by_monai(series: Path, out: Path) -> Callable[[], None]:
    """The usual chain of MONAI."""
    from monai.data import PersistentDataset
    from monai.transforms import (
        Compose,
        EnsureChannelFirstd,
        LoadImaged,
        Orientationd,
        ScaleIntensityRanged,
    )

    chain = Compose(
        [
            LoadImaged("image", reader="PydicomReader"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="LPS"),
            ScaleIntensityRanged("image", -100, 400, 0, 1, clip=True),
        ]
    )

    def run() -> None:
        PersistentDataset([{"image": str(series)}], chain, cache_dir=out)[0]

    return run


CHAINS = {"hepatoclr": by_hepatoclr, "SimpleITK": by_simpleitk, "MONAI": by_monai}


def _measure(name: str, series: Path, pipe) -> None:
    out = Path(tempfile.mkdtemp())
    chain = CHAINS[name](series, out)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    start = time.perf_counter()
    chain()
    seconds = time.perf_counter() - start
    pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before))
    shutil.rmtree(out)


def measure(name: str, series: Path) -> tuple[float, float]:
    """Run a chain in a fresh process; returns seconds, and MB above those after imports."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(name, series, theirs))
    process.start()
    theirs.close()
    found = ours.recv()
    process.join()
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="folder of a real series of 512x512 slices")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        series = Path(scratch, "series")
        write_series(series, given.source)
        found = {name: [] for name in CHAINS}
        for _ in range(given.rounds):
            for name in CHAINS:
                found[name].append(measure(name, series))
    floor = statistics.median(seconds for seconds, _ in found["SimpleITK"])
    print("| chain | seconds, median (range) | times SimpleITK | peak memory, volumes |")
    print("|---|---|---|---|")
    for name, runs in found.items():
        seconds, memory = zip(*runs, strict=True)
        middle = statistics.median(seconds)
        print(
            f"| {name} | {middle:.2f} ({min(seconds):.2f}-{max(seconds):.2f}) "
            f"| {middle / floor:.2f} | {max(memory) / VOLUME_MB:.1f} |"
        )


if __name__ == "__main__":
    main()
