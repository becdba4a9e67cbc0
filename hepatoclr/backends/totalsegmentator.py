"""TotalSegmentator as a function from a CT to its liver, and the weights it needs."""

import hashlib
import importlib.metadata
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np

from hepatoclr import files, volumes
from hepatoclr.errors import BadCase, EmptyLiver, UserError
from hepatoclr.volumes import Volume

LIVER = 5
FOLDERS = {
    291: "Dataset291_TotalSegmentator_part1_organs_1559subj",
    292: "Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
    293: "Dataset293_TotalSegmentator_part3_cardiac_1559subj",
    294: "Dataset294_TotalSegmentator_part4_muscles_1559subj",
    295: "Dataset295_TotalSegmentator_part5_ribs_1559subj",
    297: "Dataset297_TotalSegmentator_total_3mm_1559subj",
    298: "Dataset298_TotalSegmentator_total_6mm_1559subj",
}
# of the full model only 291, which knows the liver, and 298, the rough crop, run; but
# TotalSegmentator downloads whichever of its parts is not there
NEEDED = {"fastest": (298,), "fast": (297,), "full": (291, 292, 293, 294, 295, 298)}
RUN = {"fastest": (298,), "fast": (297,), "full": (291, 298)}
OPTIONS = {"fastest": {"fastest": True}, "fast": {"fast": True}, "full": {"roi_subset": ["liver"]}}
DOWNLOADS = {"fastest": "total_fast", "fast": "total_fast", "full": "total"}
CHECKPOINT = "*/fold_0/checkpoint_final.pth"
NO_STATISTICS = {
    "totalseg_id": "",
    "send_usage_stats": False,
    "prediction_counter": 0,
    "statistics_disclaimer_shown": True,
}


def totalsegmentator(
    ct: Volume,
    model: str = "fast",
    weights: str | Path | None = None,
    device: str = "auto",
) -> Volume:
    """Find the liver with TotalSegmentator (Wasserthal 2023, doi:10.1148/ryai.230024).

    It starts worker processes: a script that calls this does so under
    `if __name__ == "__main__":`. No usage statistics are sent, and TotalSegmentator's settings in
    the user's home are neither read nor written.

    Args:
        ct: HU, canonical.
        model: "fastest" works at 6 mm, "fast" at 3 mm, "full" at 1.5 mm.
        weights: Folder of TotalSegmentator's weights; none for its own default, see
            `weights_folder`.
        device: cpu, cuda, or auto for the GPU if there is one.

    Returns:
        uint8 mask on the CT's grid, 1 where liver; facts: model, version, digests of the weights
        that ran, device.

    Raises:
        UserError: Weights are missing, or there is no GPU although one is asked for.
        EmptyLiver: It found no liver.
        BadCase: It failed on this CT.
    """
    preflight(model, weights)
    folder = weights_folder(weights)
    with _private_settings(folder):
        labels, device = _run(ct, model, device)
    found = volumes.canonical(np.asanyarray(labels.dataobj) == LIVER, labels.affine)
    if not volumes.same_grid(found, ct):
        raise BadCase("TotalSegmentator returned a mask on another grid than the CT's.")
    if not found.array.any():
        raise EmptyLiver(
            "TotalSegmentator found no liver. Look at the CT: if it shows no liver, leave the case "
            "out; if it does, give a mask with segment.backend provided."
        )
    facts = {
        "backend": "totalsegmentator",
        "model": model,
        "version": importlib.metadata.version("TotalSegmentator"),
        "weights": {str(task): _digest(folder / FOLDERS[task]) for task in RUN[model]},
        "device": device,
        "warnings": [],
    }
    return Volume(found.array.astype(np.uint8), ct.affine, facts)


def weights_folder(weights: str | Path | None = None) -> Path:
    """Where TotalSegmentator's weights lie: as told, or else by its own rule.

    The rule: `$TOTALSEG_WEIGHTS_PATH`, else `$TOTALSEG_HOME_DIR/nnunet/results`, else
    `~/.totalsegmentator/nnunet/results`.
    """
    if weights:
        return Path(weights).absolute()
    if "TOTALSEG_WEIGHTS_PATH" in os.environ:
        return Path(os.environ["TOTALSEG_WEIGHTS_PATH"]).absolute()
    # in a container without a home TotalSegmentator takes /tmp
    home = Path("/tmp") if str(Path.home()) == "/" else Path.home()
    return Path(os.environ.get("TOTALSEG_HOME_DIR", home / ".totalsegmentator"), "nnunet/results")


def missing_weights(model: str, weights: str | Path | None = None) -> list[str]:
    """List the dataset folders that a model needs and that are absent or incomplete.

    Args:
        model: "fastest", "fast" or "full".
        weights: Folder to look in; none for the default, see `weights_folder`.

    Raises:
        UserError: There is no such model.
    """
    if model not in NEEDED:
        raise UserError(f"segment.model must be one of {', '.join(NEEDED)}, got {model!r}")
    folder = weights_folder(weights)
    needed = [FOLDERS[task] for task in NEEDED[model]]
    return [name for name in needed if not any((folder / name).glob(CHECKPOINT))]


def preflight(model: str, weights: str | Path | None = None) -> None:
    """Check that the weights of a model are there, before any job starts.

    Raises:
        UserError: Some are missing; the message says which, where they were looked for, and how
            to get them.
    """
    missing = missing_weights(model, weights)
    if missing:
        raise UserError(
            f"TotalSegmentator's weights are missing: {', '.join(missing)} (looked for in "
            f"{weights_folder(weights)}). Run `totalseg_download_weights -t {DOWNLOADS[model]}` "
            "on a machine with a network and copy the folders there; or set segment.weights to "
            "the folder that has them; or set segment.backend to provided and give liver masks."
        )


def _run(ct: Volume, model: str, device: str) -> tuple[nib.Nifti1Image, str]:
    """Call TotalSegmentator; returns its labels and the device that it ran on."""
    # these take seconds to import
    import torch
    from totalsegmentator.python_api import totalsegmentator as segment

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("there is no GPU that PyTorch can use; set the device to auto or cpu")
    image = nib.Nifti1Image(ct.array.transpose(2, 1, 0), ct.affine)
    options = {**OPTIONS[model], "device": device.replace("cuda", "gpu")}
    try:
        found = segment(image, None, ml=True, quiet=True, nr_thr_saving=1, **options)
    except (Exception, SystemExit) as error:  # it calls sys.exit where it could raise
        logging.getLogger(__name__).exception("TotalSegmentator failed")
        raise BadCase(
            f"TotalSegmentator failed ({type(error).__name__}; the log has its words). If it fails "
            "for other cases too, look there; if not, give a mask with segment.backend provided."
        ) from error
    return found, device


@contextmanager
def _private_settings(weights: Path) -> Iterator[None]:
    """Point TotalSegmentator to its weights and to settings of our own while the block runs.

    Its settings would lie in the user's home and have statistics sent; its workers inherit both
    from the environment.
    """
    loaded = sys.modules.get("nnunetv2.paths")
    if loaded is not None and loaded.nnUNet_results != str(weights):
        raise UserError(
            f"this process has loaded nnU-Net with the weights in {loaded.nnUNet_results}; "
            f"use those in {weights} in another process"
        )
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="hepatoclr-") as home:
        files.write_json(NO_STATISTICS, Path(home) / "config.json")
        os.environ |= {"TOTALSEG_HOME_DIR": home, "TOTALSEG_WEIGHTS_PATH": str(weights)}
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


def _digest(folder: Path) -> str:
    """Digest of a model: its weights and plans."""
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".pth", ".json")):
        content.update(path.relative_to(folder).as_posix().encode())
        with open(path, "rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()[:12]
