"""Lightning's Trainer, as the configuration's section `trainer` says."""

import logging
import math
import sys
from collections.abc import Mapping
from os import environ
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning import callbacks, loggers
from pytorch_lightning.plugins import environments

from hepatoclr.base.errors import UserError
from hepatoclr.learning.checkpoints import AtomicIO

DEFAULTS = {  # defaults of the configuration's section
    **{"accelerator": "auto", "devices": 1, "num_nodes": 1, "strategy": "auto"},
    **{"precision": "auto", "accumulate_grad_batches": 1, "gradient_clip_val": 0},
    **{"limit_train_batches": 1.0, "logger": "tensorboard"},
}
ONE_PROCESS = {"devices": 1, "num_nodes": 1, "strategy": "auto"}


def device(trainer: Mapping, otherwise: str) -> str:
    """Which device trains, by the section `trainer`; `auto` is that of the other jobs."""
    return {"auto": otherwise, "cpu": "cpu", "gpu": "cuda"}[trainer["accelerator"]]


def decisive(trainer: Mapping) -> dict:
    """What of the section `trainer` can change a network."""
    return {key: value for key, value in trainer.items() if key != "logger"}


def check(trainer: Mapping, device: torch.device, batch_size: int) -> None:
    """See that batches can be shared, and that every process has a GPU.

    Raises:
        UserError: They cannot; or there are fewer GPUs than processes.
    """
    size = trainer["devices"] * trainer["num_nodes"]
    if batch_size % size:
        raise UserError(f"batch_size {batch_size} cannot be shared evenly by {size} processes")
    if device.type == "cuda" and torch.cuda.device_count() < trainer["devices"]:
        raise UserError(
            f"trainer.devices is {trainer['devices']}, but there are {torch.cuda.device_count()} "
            "GPUs; each process needs one of its own"
        )


def updates(batches: int, trainer: Mapping) -> int:
    """Steps of the optimiser in an epoch, counted as Lightning does.

    Raises:
        UserError: The share of the batches that is used is less than one.
    """
    limit = trainer["limit_train_batches"]
    used = int(batches * limit) if isinstance(limit, float) else min(batches, limit)
    if not used:
        raise UserError(
            f"trainer.limit_train_batches: {limit} of {batches} batches is none; take a larger "
            "share, or a number of batches"
        )
    return math.ceil(used / trainer["accumulate_grad_batches"])


def precision(trainer: Mapping, device: torch.device) -> str:
    """Arithmetic of the network, in Lightning's words; the losses are float32 whatever it is."""
    if trainer["precision"] != "auto":
        return trainer["precision"]
    if device.type == "cpu":
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def make(
    trainer: Mapping,
    device: torch.device,
    epochs: int,
    checkpoints: Path | None,
    logs: Path | None,
    called: list[pl.Callback],
) -> pl.Trainer:
    """Lightning's Trainer; what it says goes to the job's log.

    Args:
        trainer: The section.
        device: Where to train; with several devices, which kind they are.
        epochs: Number of epochs.
        checkpoints: Folder of the checkpoint; without it, none is written.
        logs: Folder of the logger; without it, nothing is logged.
        called: Callbacks; the checkpoint is written after those.

    Raises:
        UserError: A logger is not installed.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        speaker = logging.getLogger(name)
        speaker.handlers, speaker.propagate, speaker.level = [], True, logging.WARNING
    several = trainer["devices"] * trainer["num_nodes"] > 1
    if checkpoints:
        # one file, written anew after each epoch
        keep = {"filename": "last", "enable_version_counter": False}
        called.append(callbacks.ModelCheckpoint(checkpoints, save_on_train_epoch_end=True, **keep))
    if bar := sys.__stderr__ is not None and sys.__stderr__.isatty():
        called.append(callbacks.RichProgressBar(console_kwargs={"file": sys.__stderr__}))
    chosen = ("num_nodes", "accumulate_grad_batches", "limit_train_batches")
    return pl.Trainer(
        **{key: trainer[key] for key in chosen},
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index] if device.index is not None and not several else trainer["devices"],
        # a method need not use the whole head
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        plugins=[_cluster(), AtomicIO()],
        precision=precision(trainer, device),
        gradient_clip_val=trainer["gradient_clip_val"] or None,
        max_epochs=epochs,
        callbacks=called,
        logger=_logger(trainer["logger"], logs) if logs else False,
        log_every_n_steps=1,
        enable_checkpointing=bool(checkpoints),
        enable_progress_bar=bar,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=checkpoints,
    )


def _cluster() -> environments.ClusterEnvironment:
    """Who starts the processes: Slurm where a step has several tasks, else Lightning.

    Requeueing is Snakemake's business.
    """
    if int(environ.get("SLURM_NTASKS", 1)) > 1:
        return environments.SLURMEnvironment(auto_requeue=False)
    return environments.LightningEnvironment()


def _logger(kind: str, folder: Path) -> loggers.Logger:
    """Lightning's logger of a kind, which writes to a folder."""
    makers = {
        "csv": lambda: loggers.CSVLogger(folder, name="", version=""),
        "tensorboard": lambda: loggers.TensorBoardLogger(folder, name="", version=""),
        "wandb": lambda: loggers.WandbLogger(save_dir=folder, project="hepatoclr"),
        "mlflow": lambda: loggers.MLFlowLogger("hepatoclr", save_dir=str(folder)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return makers[kind]()
    except ModuleNotFoundError as error:
        raise UserError(
            f"trainer.logger is {kind}, which is not installed ({error}); install it, or set "
            "trainer.logger to csv or tensorboard"
        ) from error
