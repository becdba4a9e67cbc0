"""Runs TotalSegmentator's backend as a job does, on a tiny nnU-Net made by code.

The network's weights are set, not trained: it calls liver what lies near 110 HU after a 3x3x3
mean. So the real loading, resampling and inference run, without the official weights. Run as a
script, because nnU-Net looks for its folders once per process:

    python tests/tiny_totalseg.py FOLDER    # prints a JSON object
"""

import json
import multiprocessing.process
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np

from hepatoclr.imaging import measures
from hepatoclr.imaging.segmentation import backends
from hepatoclr.imaging.segmentation import totalsegmentator as totalseg
from hepatoclr.imaging.volumes import Volume

LIVER_HU = 110
LAYERS = {
    "n_stages": 2,
    "features_per_stage": [4, 4],
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "conv_bias": True,
    "norm_op": None,
    "norm_op_kwargs": {},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.ReLU",
    "nonlin_kwargs": {"inplace": True},
}
NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
CLASSES = ["conv_op", "norm_op", "dropout_op", "nonlin"]


def phantom() -> tuple[Volume, np.ndarray]:
    """A body with a liver in it, canonical HU; and where the liver is."""
    shape, spacing = (30, 48, 52), (4.0, 3.0, 3.0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    body = (x / 0.9) ** 2 + (y / 0.85) ** 2 < 1
    liver = ((x + 0.25) / 0.5) ** 2 + ((y + 0.1) / 0.45) ** 2 + ((z - 0.1) / 0.65) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 8, shape)
    hu = np.where(liver, LIVER_HU, np.where(body, 20, -1000)) + noise
    dz, dy, dx = spacing
    affine = np.array([[-dx, 0, 0, 75], [0, -dy, 0, 70], [0, 0, dz, -900], [0, 0, 0, 1.0]])
    return Volume(hu.astype(np.int16), affine), liver


def plans(spacing: float) -> dict:
    """What nnU-Net keeps of its planning, as small as it takes."""
    resampling = {"order": 1, "order_z": 0, "force_separate_z": None}
    intensities = {"mean": 0.0, "std": 1.0, "percentile_00_5": -1024.0, "percentile_99_5": 1024.0}
    configuration = {
        "data_identifier": "none",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [32, 32, 32],
        "median_image_size_in_voxels": [32.0, 32.0, 32.0],
        "spacing": [spacing] * 3,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": NETWORK,
            "arch_kwargs": LAYERS,
            "_kw_requires_import": CLASSES,
        },
        "batch_dice": False,
    }
    for what in ("data", "seg", "probabilities"):
        configuration[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        configuration[f"resampling_fn_{what}_kwargs"] = {"is_seg": what == "seg", **resampling}
    return {
        "dataset_name": "tiny",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [spacing] * 3,
        "original_median_shape_after_transp": [32, 32, 32],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {"3d_fullres": configuration},
    }


def liver_by_intensity(labels: int):
    """A network whose logit of liver is a hat over HU: 50 - |mean HU - 110|, others lower."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    network = get_network_from_plans(NETWORK, LAYERS, CLASSES, 1, labels, deep_supervision=False)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        first = network.encoder.stages[0][0].convs[0].conv
        # relu(mean - 50), relu(mean - 110): together they make the hat
        for channel, start in enumerate((LIVER_HU - 60, LIVER_HU)):
            first.weight[channel] = 1 / 27
            first.bias[channel] = -start
        merge = network.decoder.stages[0].convs[0].conv
        for channel in range(2):
            merge.weight[channel, 4 + channel, 1, 1, 1] = 1
        last = network.decoder.seg_layers[-1]
        last.bias[1:] = -1000
        last.bias[totalseg.LIVER] = -10
        last.weight[totalseg.LIVER, 0], last.weight[totalseg.LIVER, 1] = 1, -2
    return network


def make_model(weights: Path, task: int, spacing: float, trainer: str) -> None:
    """Write a model where TotalSegmentator looks for one of its tasks."""
    import torch
    from totalsegmentator.map_to_binary import class_map

    labels = {"background": 0, **{name: number for number, name in class_map["total"].items()}}
    dataset = {
        "channel_names": {"0": "CT"},
        "labels": labels,
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    folder = weights / totalseg.FOLDERS[task] / f"{trainer}__nnUNetPlans__3d_fullres"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans(spacing)))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    checkpoint = {
        "network_weights": liver_by_intensity(len(labels)).state_dict(),
        "init_args": {
            **{"configuration": "3d_fullres", "plans": plans(spacing), "fold": 0},
            "device": torch.device("cuda"),
        },
        "logging": {"mean_fg_dice": [np.float64(0.9)], "lrs": [np.float32(0.01)]},
        "_best_ema": np.float64(0.9),
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")


def without_network() -> list[str]:
    """Make any look-up of a host fail; returns the list of hosts that are asked for."""
    asked = []

    def refuse(host, *_args, **_kwargs):
        asked.append(str(host))
        raise OSError("no network in this test")

    socket.getaddrinfo = refuse
    return asked


def counted(owner, name: str) -> list:
    """Have the calls of a function counted; returns the list that they are noted in."""
    calls, original = [], getattr(owner, name)

    def noted(*arguments, **options):
        calls.append(name)
        return original(*arguments, **options)

    setattr(owner, name, noted)
    return calls


def dice(first: np.ndarray, second: np.ndarray) -> float:
    both = np.count_nonzero(first & second)
    return 2 * both / (np.count_nonzero(first) + np.count_nonzero(second))


def in_wide_air(ct: Volume) -> Volume:
    """The same CT with much air around it."""
    wide = np.pad(ct.array, ((0, 0), (30, 40), (50, 20)), constant_values=-1000)
    affine = ct.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [50, 30, 0]
    return Volume(wide, affine)


def split_and_whole(ct: Volume, find) -> tuple[np.ndarray, np.ndarray]:
    """The livers of a tall CT, done in three parts and as a whole."""
    tall = Volume(np.concatenate([ct.array] * 2), ct.affine)
    whole = find(tall).array
    limits = totalseg.SPLIT_VOXELS, totalseg.SPLIT_SLICES
    totalseg.SPLIT_VOXELS, totalseg.SPLIT_SLICES = 1000, 60
    split = find(tall).array
    totalseg.SPLIT_VOXELS, totalseg.SPLIT_SLICES = limits
    return split, whole


def main(folder: Path) -> None:
    """Make the model, find the phantom's liver some times over, tell how it went."""
    import torch
    from totalsegmentator.map_tasks_config import TASK_CONFIGS

    trainer = TASK_CONFIGS["total"]["sub_modes"]["fast"]["trainer"]
    make_model(folder / "weights", 297, 3.0, trainer)
    ct, truth = phantom()
    asked, environment = without_network(), dict(os.environ)
    loaded, started = counted(torch, "load"), counted(multiprocessing.process.BaseProcess, "start")
    find = backends.load("totalsegmentator", weights=folder / "weights", device="cpu")
    found = find(ct)
    seconds = -time.perf_counter()
    wide = find(in_wide_air(ct))
    seconds += time.perf_counter()
    split, whole = split_and_whole(ct, find)
    result = {
        "dice": dice(found.array, truth),
        "dice_in_air": dice(wide.array[:, 30:-40, 50:-20], found.array),
        "outside": int(wide.array.sum() - wide.array[:, 30:-40, 50:-20].sum()),
        "dice_split": dice(split, whole),
        "loaded": len(loaded),
        "started": len(started),
        "seconds": seconds,
        "dtype": str(found.array.dtype),
        "same_affine": bool(np.array_equal(found.affine, ct.affine)),
        "facts": {**found.facts, **measures.measure(found, ct)},
        "asked": asked,
        "environment_kept": environment == dict(os.environ),
    }
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
