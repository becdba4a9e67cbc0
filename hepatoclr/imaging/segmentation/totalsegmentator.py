"""TotalSegmentator as a function from a CT to its liver, and the weights it needs."""

import hashlib
import importlib.metadata
import json
import logging
import os
import pickle
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np

from hepatoclr.base import files
from hepatoclr.base.errors import BadCase, EmptyLiver, UserError
from hepatoclr.imaging import volumes
from hepatoclr.imaging.segmentation.base import Finder, median_hu
from hepatoclr.imaging.volumes import Volume, nib

log = logging.getLogger(__name__)

LIVER, AORTA, SPLEEN = 5, 52, 1  # labels of the task `total`
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
ENDING = "_0000.nii.gz"  # nnU-Net's name for the first, here only, channel of an image
CHECKPOINT = "*/fold_0/checkpoint_final.pth"
# the only classes that plans may name: nnU-Net would call anything that can be imported
NETWORK = re.compile(r"dynamic_network_architectures\.architectures\.\w+\.\w+")
LAYER = re.compile(r"torch\.nn(\.modules\.\w+)?\.\w+")
NO_STATISTICS = {
    "totalseg_id": "",
    "send_usage_stats": False,
    "prediction_counter": 0,
    "statistics_disclaimer_shown": True,
}
GRID_MM = {"fastest": 6.0, "fast": 3.0, "full": 1.5}
WHOLE = ("fastest", "fast")  # models that label the whole body, and so know the aorta and spleen
BODY_HU = -300
MARGIN_MM = 10
COARSE_MM = 4  # the body's box is found at this resolution
# logits of 118 labels in half precision: 2.4 GB for 10 million voxels, and as much again when
# they are compared; TotalSegmentator's own limit is 236 million
SPLIT_VOXELS = 10_000_000
SPLIT_SLICES = 200  # its own least height of what it splits into thirds


def load(model: str, weights: str | Path | None, device: str) -> Finder:
    """Give `totalsegmentator`, which keeps its networks from one CT to the next."""
    networks: dict = {}
    found = partial(totalsegmentator, model=model, weights=weights, device=device)
    return lambda ct, mask=None, label=None: found(ct, networks=networks)


def totalsegmentator(
    ct: Volume,
    model: str = "fast",
    weights: str | Path | None = None,
    device: str = "auto",
    networks: dict | None = None,
) -> Volume:
    """Find the liver with TotalSegmentator (Wasserthal 2023, doi:10.1148/ryai.230024).

    It sees the box of the body alone, without the air around it. No usage statistics are sent,
    and its settings in the user's home are neither read nor written.

    Memory of the GPU: the network, one patch, and the logits of all labels at the model's
    resolution in half precision, which grow with the body up to `SPLIT_VOXELS`; larger ones are
    done in three parts. Logits that do not fit are collected on the CPU; where a patch does not
    fit, all is done there.

    Args:
        ct: HU, canonical.
        model: "fastest" works at 6 mm, "fast" at 3 mm, "full" at 1.5 mm.
        weights: Folder of the weights, see `weights_folder`.
        device: cpu, cuda, or auto for the GPU if there is one.
        networks: Where networks are kept for the next CT, empty at first.

    Returns:
        uint8 mask on the CT's grid, 1 where liver; facts: model, device, `identity`, and with
        "fast" and "fastest" aorta_hu and spleen_hu, see `median_hu`.

    Raises:
        UserError: Weights are missing, or there is no GPU although one is asked for.
        EmptyLiver: It found no liver.
        BadCase: It failed on this CT.
    """
    from hepatoclr.base import devices

    preflight(model, weights)
    folder = weights_folder(weights)
    place = str(devices.choose(device))
    body = _body(ct)
    with _private_settings(folder):
        found, device = _run(_crop(ct, body), model, place, {} if networks is None else networks)
    labels = np.zeros(ct.array.shape, np.uint8)
    labels[body] = found
    if not (labels == LIVER).any():
        raise EmptyLiver(
            "TotalSegmentator found no liver. Look at the CT: if it shows no liver, leave the case "
            "out; if it does, give a mask with segment.backend provided."
        )
    organs = {"aorta_hu": AORTA, "spleen_hu": SPLEEN} if model in WHOLE else {}
    facts = {
        "backend": "totalsegmentator",
        "model": model,
        **identity(model, folder),
        "device": device.partition(":")[0],
        **{name: median_hu(ct, labels == label) for name, label in organs.items()},
        "flags": {},
    }
    return Volume((labels == LIVER).astype(np.uint8), ct.affine, facts)


def identity(model: str, weights: str | Path | None = None) -> dict:
    """The version of TotalSegmentator, and a digest of each network that runs."""
    folder = weights_folder(weights)
    return {
        "version": importlib.metadata.version("TotalSegmentator"),
        "weights": {str(task): _digest(folder / FOLDERS[task]) for task in RUN[model]},
    }


def weights_folder(weights: str | Path | None = None) -> Path:
    """Where TotalSegmentator's weights lie: in the folder given, or else by its own rule.

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
            to get them. Or they name code of somebody else's.
    """
    missing = missing_weights(model, weights)
    if missing:
        raise UserError(
            f"TotalSegmentator's weights are missing: {', '.join(missing)} (looked for in "
            f"{weights_folder(weights)}). Run `totalseg_download_weights -t {DOWNLOADS[model]}` "
            "on a machine with a network and copy the folders there; or set segment.weights to "
            "the folder that has them; or set segment.backend to provided and give liver masks."
        )
    for task in RUN[model]:
        for path in (weights_folder(weights) / FOLDERS[task]).glob("*/plans.json"):
            _check_plans(path)


def _check_plans(path: Path) -> None:
    """See that the plans of a model name no other code than that of networks and their layers."""
    try:
        configurations = json.loads(path.read_text(encoding="utf-8"))["configurations"].values()
        for built in (one["architecture"] for one in configurations if "architecture" in one):
            layers = [built["arch_kwargs"][name] for name in built["_kw_requires_import"]]
            wrong = [name for name in layers if name and not LAYER.fullmatch(name)]
            if wrong or not NETWORK.fullmatch(built["network_class_name"]):
                raise ValueError(f"it names {wrong or built['network_class_name']!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path} is not what nnU-Net writes ({type(error).__name__}: {error}), and was not "
            "used. Fetch TotalSegmentator's weights again (totalseg_download_weights)."
        ) from None


def _body(ct: Volume) -> tuple[slice, slice, slice]:
    """Find the box of the body: of the largest thing that is not air, with a margin."""
    from scipy import ndimage

    steps = [max(1, int(COARSE_MM / length)) for length in ct.spacing]
    coarse = ct.array[:: steps[0], :: steps[1], :: steps[2]] > BODY_HU
    pieces, count = ndimage.label(coarse)
    if not count:
        return slice(None), slice(None), slice(None)
    box = ndimage.find_objects(pieces)[np.bincount(pieces.ravel())[1:].argmax()]
    margins = [int(np.ceil(MARGIN_MM / length)) for length in ct.spacing]
    return tuple(
        slice(max(0, side.start * step - margin), min(size, side.stop * step + margin))
        for side, step, margin, size in zip(box, steps, margins, ct.array.shape, strict=True)
    )


def _crop(ct: Volume, box: tuple[slice, slice, slice]) -> Volume:
    """Cut a volume to a box."""
    shift = np.eye(4)
    shift[:3, 3] = [side.indices(size)[0] for side, size in zip(box, ct.array.shape, strict=True)][
        ::-1
    ]
    return Volume(ct.array[box], ct.affine @ shift)


def _split(ct: Volume, model: str) -> bool:
    """Say whether a CT is so large at the model's resolution that it is done in three parts."""
    size = [n * mm / GRID_MM[model] for n, mm in zip(ct.array.shape, ct.spacing, strict=True)]
    return model in WHOLE and np.prod(size) > SPLIT_VOXELS and size[0] > SPLIT_SLICES


def _run(ct: Volume, model: str, device: str, networks: dict) -> tuple[np.ndarray, str]:
    """Call TotalSegmentator; returns labels on the CT's grid and the device that it ran on."""
    import torch  # seconds

    try:
        found = _labels(ct, model, device, networks)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # it calls sys.exit where it could raise
        log.exception("TotalSegmentator failed")
        failed = error
    else:
        if not volumes.same_grid(found, ct):
            raise BadCase("TotalSegmentator returned a mask on another grid than the CT's.")
        return found.array, device
    if device != "cpu" and isinstance(failed, torch.cuda.OutOfMemoryError):
        log.warning("the GPU has too little memory for this CT; it is done on the CPU")
        torch.cuda.empty_cache()
        return _run(ct, model, "cpu", networks)
    raise BadCase(
        f"TotalSegmentator failed ({type(failed).__name__}; the log has its words). If it fails "
        "for other cases too, look there; if not, give a mask with segment.backend provided."
    ) from failed


def _labels(ct: Volume, model: str, device: str, networks: dict) -> Volume:
    from totalsegmentator.python_api import totalsegmentator as segment  # seconds

    image = nib.Nifti1Image(ct.array.transpose(2, 1, 0), ct.affine)
    options = {**OPTIONS[model], "force_split": _split(ct, model)}
    with _kept(networks):
        found = segment(
            image,
            None,
            ml=True,
            quiet=True,
            nr_thr_saving=1,
            device=device.replace("cuda", "gpu"),
            **options,
        )
    return volumes.canonical(np.asanyarray(found.dataobj).astype(np.uint8), found.affine)


@contextmanager
def _kept(networks: dict) -> Iterator[None]:
    """Have nnU-Net keep its networks, and do without worker processes, while the block runs.

    For every image TotalSegmentator makes nnU-Net's predictor anew, which reads the checkpoint
    and starts two processes that import everything again; for one image they gain nothing.
    """
    from totalsegmentator.config import setup_nnunet

    setup_nnunet()  # before nnU-Net is imported, which looks for its folders then
    from totalsegmentator import nnunet

    class Predictor(nnunet.nnUNetPredictor):
        def initialize_from_trained_model_folder(self, *args, **options) -> None:
            key = repr((args, options))
            if key not in networks:
                before = dict(vars(self))
                with _only_weights():
                    super().initialize_from_trained_model_folder(*args, **options)
                after = vars(self).items()
                networks[key] = {k: v for k, v in after if v is not before.get(k)}
            vars(self).update(networks[key])

        def predict_from_files(self, source, target, save_probabilities=False, **_workers):
            # listed here: of a folder nnU-Net has a dozen processes list the files
            images = sorted(Path(source).glob(f"*{ENDING}"))
            targets = [str(Path(target, image.name.removesuffix(ENDING))) for image in images]
            return self.predict_from_files_sequential(
                [[str(image)] for image in images], targets, save_probabilities
            )

    original, nnunet.nnUNetPredictor = nnunet.nnUNetPredictor, Predictor
    try:
        yield
    finally:
        nnunet.nnUNetPredictor = original


@contextmanager
def _only_weights() -> Iterator[None]:
    """Let checkpoints hold the numbers of NumPy that nnU-Net keeps beside weights, nothing else.

    Raises:
        UserError: A checkpoint holds something else.
    """
    import torch

    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # before 2, since
    kinds = [np.dtype, *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "?"))]
    try:
        with torch.serialization.safe_globals([*kinds, *((scalar, name) for name in names)]):
            yield
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if not named:  # damaged
            raise
        raise UserError(
            f"a checkpoint of TotalSegmentator holds more than weights ({named[1]}), "
            "which could run code, and was not loaded. Fetch the weights again "
            "(totalseg_download_weights)."
        ) from error


@contextmanager
def _private_settings(weights: Path) -> Iterator[None]:
    """Point TotalSegmentator to its weights and to settings of our own while the block runs.

    Its settings would lie in the user's home and have statistics sent. Checkpoints are read
    without running code in them, though nnU-Net asks for the opposite, see `_only_weights`.
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
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
        os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


@cache
def _digest(folder: Path) -> str:
    """Digest of a model: its weights and plans."""
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".pth", ".json")):
        content.update(path.relative_to(folder).as_posix().encode())
        with open(path, "rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()[:12]
