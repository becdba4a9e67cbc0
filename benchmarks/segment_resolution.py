"""What the resolution of segmentation does to what is used of a liver: its slices.

    python -m benchmarks.segment_resolution [CT MASK LABEL ...] [--weights FOLDER]

Each reference mask is brought onto the isotropic grid of a model (linearly, cut at 0.5) and back
onto the CT's grid (nearest), as TotalSegmentator does with its labels. So this is the resolution
alone, not the networks. With `--weights` the networks are run too. Prints a table in Markdown.
"""

import argparse
from pathlib import Path

import numpy as np

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import ingest, resample, segment, slices
from hepatoclr.imaging.segmentation.totalsegmentator import GRID_MM
from hepatoclr.imaging.volumes import Volume

CTS = Path(__file__).resolve().parents[2] / "shared" / "ct"
DEFAULT = [
    *(CTS / "chaos_dicom", CTS / "chaos_liver.nii.gz", ""),
    *(CTS / "totalseg_dicom", CTS / "totalseg_dicom_seg.nii.gz", "5"),
    *(CTS / "totalseg_example_ct.nii.gz", CTS / "totalseg_example_ct_seg.nii.gz", "5"),
    *(CTS / "totalseg_example_ct_sm.nii.gz", CTS / "totalseg_example_ct_sm_seg.nii.gz", "5"),
]
COLUMNS = ("CT", "slices of", "by", "Dice", "first slice", "last slice", "kept", "in both")


def coarse(liver: Volume, mm: float) -> Volume:
    """A mask as a model with isotropic voxels of `mm` could give it at best."""
    steps = np.array([mm / length for length in liver.spacing])
    shape = tuple(np.maximum(1, np.rint(np.array(liver.array.shape) / steps)).astype(int))
    scale = np.array(liver.array.shape) / shape
    grid = liver.affine @ np.diag([*scale[::-1], 1.0])
    grid[:3, 3] += liver.affine[:3, :3] @ ((scale[::-1] - 1) / 2)  # edges meet, not centres
    soft = resample.to_grid(Volume(liver.array.astype(np.int16) * 1000, liver.affine), grid, shape)
    low = Volume((soft >= 500).astype(np.uint8), grid)
    back = resample.to_grid(low, liver.affine, liver.array.shape, nearest=True)
    return Volume(back, liver.affine)


def compared(found: Volume, truth: Volume) -> list[str]:
    """Dice; shift of the first and last slice with liver; kept slices (true), and those in both."""
    both = np.count_nonzero(found.array & truth.array)
    dice = 2 * both / (np.count_nonzero(found.array) + np.count_nonzero(truth.array))
    ends = [np.flatnonzero(mask.array.any(axis=(1, 2)))[[0, -1]] for mask in (found, truth)]
    kept, right = ({one.index for one in slices.central(mask)} for mask in (found, truth))
    first, last = ends[0] - ends[1]
    return [
        f"{dice:.3f}",
        f"{first:+d}",
        f"{last:+d}",
        f"{len(kept)} ({len(right)})",
        f"{len(kept & right)}",
    ]


def rows(ct_path: Path, mask_path: Path, label: str, weights: Path | None) -> list[list[str]]:
    """The rows of one CT."""
    ct = ingest.read_ct(ct_path)
    truth = segment.liver(ct, "provided", mask=mask_path, label=int(label) if label else None)
    start = [Path(ct_path).name, f"{ct.spacing[0]:g} mm"]
    found = [
        [*start, f"{mm:g} mm grid", *compared(coarse(truth, mm), truth)]
        for mm in sorted(GRID_MM.values())
    ]
    for model in GRID_MM if weights else ():
        try:
            liver = segment.liver(ct, "totalsegmentator", model=model, weights=weights)
            found.append([*start, model, *compared(liver, truth)])
        except UserError as error:
            found.append([*start, model, *["-"] * 5])
            print(f"{model}: {error}\n")
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("references", nargs="*", default=DEFAULT, help="CT, mask, label or ''")
    parser.add_argument("--weights", type=Path, help="folder of TotalSegmentator's weights")
    given = parser.parse_args()
    table = [COLUMNS, ["---"] * len(COLUMNS)]
    for reference in zip(*[iter(given.references)] * 3, strict=True):
        table += rows(*reference, given.weights)
    print("\n".join(f"| {' | '.join(row)} |" for row in table))


if __name__ == "__main__":
    main()
