"""Training of a network on augmented views, by Lightning.

All randomness is keyed: an epoch's draw by its number, a view by its step and name. A training that
was killed and resumed therefore takes exactly the steps of one that was not, and one of several
processes those of one process.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from hepatoclr.base import seeds
from hepatoclr.base.errors import UserError
from hepatoclr.learning import trainers
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.backbone import Backbone, Network
from hepatoclr.learning.checkpoints import intact
from hepatoclr.learning.data import Sampler, Slices

log = logging.getLogger(__name__)

# Nats by which a loss must lie below its level of chance: they count what was learned, and noisy
# labels leave little, whatever the number of slices that a loss chooses among. Contrastive
# losses of untrained networks lie 0.015 below to 0.045 above it, over 256 simulated slices.
MARGIN = 0.02
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class Objective(Protocol):
    """What training minimises; the methods are such, see `methods.base.Method`."""

    views: tuple[str, ...]

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Loss of one batch of augmented views."""


@dataclass(frozen=True)
class OptimiserConfig:
    """How to train: the keys of the configuration's sections pretraining and finetune."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimiser: str
    compile: str = "auto"

    @classmethod
    def of(cls, settings: Mapping) -> "OptimiserConfig":
        """Take the keys out of a section of the configuration."""
        return cls(**{field.name: settings[field.name] for field in fields(cls)})


def key(seed: int, step: int, view: str) -> int:
    """What decides the draws of a view at a step."""
    return seeds.derived(seed, step, crc32(view.encode()))


class Training(pl.LightningModule):
    """A network that minimises an objective on augmented views.

    Where several processes train together, each works on its share of every batch, and the
    objective sees the outputs of the whole batch.

    Args:
        network: Starts from the weights it has.
        objective: Names the views it wants and gives their loss.
        augmentation: Makes the views, on the device.
        config: Optimiser and its schedule, a cosine to 0.
        updates: Steps of the optimiser in the whole training.
        seed: Seed of the views.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        augmentation: Augmentation,
        config: OptimiserConfig,
        updates: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.network, self.objective, self.augmentation = network, objective, augmentation
        self.config, self.updates, self.seed = config, updates, seed

    def classify(self, images: Tensor) -> Tensor:
        """Logits of the whole batch, shape (n, 2)."""
        return self._gather(self.network.classify(images))

    def project(self, images: Tensor) -> Tensor:
        """Projections of the whole batch, shape (n, projection)."""
        return self._gather(self.network.project(images))

    def on_after_batch_transfer(self, batch: tuple, dataloader_idx: int) -> tuple:
        """Make the views of this process's slices, as they are in the whole batch."""
        images, labels, number = batch
        names = self.objective.views
        keys = [key(self.seed, number, name) for name in names]
        views = self.augmentation(images, keys, self.global_rank, self.trainer.world_size)
        return dict(zip(names, views, strict=True)), labels

    def training_step(self, batch: tuple, batch_idx: int) -> Tensor:
        """The loss of the whole batch."""
        loss = self.objective.loss(self, *batch)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=1)
        return loss

    def configure_optimizers(self) -> dict:
        """The optimiser; its learning rate changes with every step."""
        optimiser = OPTIMISERS[self.config.optimiser](
            self.network.parameters(),
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            # one pass over the weights, three times quicker on a CPU; it would unscale the
            # gradients of mixed precision itself, after they were to be clipped
            fused=not self.trainer.gradient_clip_val,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self.rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, update: int) -> float:
        """Learning rate at a step of the optimiser, as a share of that at the start."""
        return float(1 + np.cos(np.pi * (update / self.updates))) / 2

    def _gather(self, share: Tensor) -> Tensor:
        """Join the shares of all processes in the order of the batch."""
        if self.trainer.world_size == 1:
            return share
        # the gradient is exact: DDP's mean undoes the sum over processes of the same loss
        return self.all_gather(share, sync_grads=True).transpose(0, 1).flatten(0, 1)


class Batches:
    """The batches of an epoch, of each the share of this process, with all its labels.

    It is no list, since Lightning would take each item of one for a loader.
    """

    def __init__(self, training: Training, slices: Slices, sampler: Sampler) -> None:
        self.training, self.slices, self.sampler = training, slices, sampler
        self.labels = torch.from_numpy(np.asarray(sampler.target, dtype=np.int64))

    def __len__(self) -> int:
        return max(1, len(self.sampler) // self.training.config.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Give slices (share of n, 1, side, side), labels (n,) and the number of the step."""
        training, epoch = self.training, self.training.current_epoch
        batches = list(self.sampler.batches(epoch, training.config.batch_size))
        rank, size = training.global_rank, training.trainer.world_size
        read = self.slices.prefetch((batch[rank::size] for batch in batches), training.device)
        for number, (batch, images) in enumerate(zip(batches, read, strict=True)):
            yield images, self.labels[batch], epoch * len(self) + number


class History(pl.Callback):
    """Keeps a line per epoch, in checkpoints too; a loss that is not finite ends the training."""

    def __init__(self, checkpoints: Path | None) -> None:
        self.checkpoints, self.lines = checkpoints, []

    def on_train_epoch_start(self, trainer: pl.Trainer, training: Training) -> None:
        """Begin a line."""
        self.started, self.losses = time.monotonic(), []

    def on_train_batch_end(self, trainer, training, outputs, batch, batch_idx) -> None:
        """Remember the loss of a step."""
        self.losses.append(outputs["loss"] * trainer.accumulate_grad_batches)

    def on_train_epoch_end(self, trainer: pl.Trainer, training: Training) -> None:
        """End a line, before the epoch's checkpoint is written.

        Raises:
            UserError: The mean loss is not finite.
        """
        epoch, loss = trainer.current_epoch, float(torch.stack(self.losses).mean())
        if not math.isfinite(loss):
            kept = f"; the state after epoch {epoch} is kept in {self.checkpoints}"
            raise UserError(
                f"the loss is {loss} in epoch {epoch + 1}; lower learning_rate, or set "
                f"trainer.precision to 32-true{kept if self.checkpoints and epoch else ''}"
            )
        rate = training.config.learning_rate * training.rate(trainer.global_step - 1)
        self.lines.append(
            {
                "epoch": epoch + 1,
                "loss": loss,
                "learning_rate": rate,
                "samples": len(self.losses) * training.config.batch_size,
                "seconds": round(time.monotonic() - self.started, 3),
            }
        )
        log.info("%s", self.lines[-1])
        if trainer.logger:
            trainer.logger.log_metrics(self.lines[-1], epoch + 1)

    def state_dict(self) -> dict:
        """What a checkpoint keeps."""
        return {"lines": self.lines}

    def load_state_dict(self, state_dict: dict) -> None:
        """Continue the lines of a checkpoint."""
        self.lines = list(state_dict["lines"])
        log.info("continuing after epoch %d", len(self.lines))


def fit(
    network: Network,
    objective: Objective,
    slices: Slices,
    sampler: Sampler,
    augmentation: Augmentation,
    config: OptimiserConfig,
    device: torch.device,
    seed: int,
    *,
    trainer: Mapping = trainers.DEFAULTS,
    checkpoints: Path | None = None,
    logs: Path | None = None,
    more: Sequence[pl.Callback] = (),
) -> list[dict]:
    """Train a network in place.

    Args:
        network: Starts from the weights it has.
        objective: Names the views it wants and gives their loss.
        slices: What to train on; the sampler's targets belong to them, in the same order.
        sampler: Draws the slices of each epoch.
        augmentation: Makes the views.
        config: Epochs, batches and optimiser.
        device: Where to train; with several devices, which kind they are.
        seed: Seed of the views.
        trainer: The configuration's section `trainer`.
        checkpoints: Folder of the checkpoint; what an interrupted training left there is continued.
        logs: Folder of Lightning's logger.
        more: Further callbacks, called after an epoch before its checkpoint is written.

    Returns:
        The history, a line per epoch: epoch (from 1), loss, learning_rate, samples, seconds.

    Raises:
        UserError: The loss is not finite; an epoch does not fill a batch; a batch cannot be
            shared evenly; there are fewer GPUs than devices; a logger is not installed.
    """
    trainers.check(trainer, device, config.batch_size)
    history = History(checkpoints)
    training = Training(network, objective, augmentation, config, 0, seed)
    batches = Batches(training, slices, sampler)
    training.updates = config.epochs * trainers.updates(len(batches), trainer)
    engine = trainers.make(trainer, device, config.epochs, checkpoints, logs, [history, *more])
    last = intact(checkpoints / "last.ckpt") if checkpoints else None
    with _compiled(network.backbone, config, device):
        engine.fit(training, batches, ckpt_path=last, weights_only=True)
    return history.lines


def ending(name: str, history: Sequence[Mapping], chance: float) -> dict:
    """Say how a training ended, and warn where it learned nothing.

    Args:
        name: Of the training, for the log.
        history: What `fit` returns.
        chance: The level of chance of its loss.

    Returns:
        loss, the mean of the last epoch; chance; learned, whether the loss is below chance by
        `MARGIN`.
    """
    loss = history[-1]["loss"]
    learned = loss < chance - MARGIN
    if not learned:
        message = (
            "%s did not learn: the loss of its last epoch is %.4f, that of equal features %.4f"
        )
        log.warning(message, name, loss, chance)
    return {"loss": loss, "chance": chance, "learned": learned}


@torch.inference_mode()
def probabilities(network: Network, slices: Slices, device: torch.device) -> np.ndarray:
    """Probability of the positive class for each slice, without augmentation, shape (n,)."""
    network.to(device).eval()
    logits = [network.classify(chunk).float() for chunk in slices.chunks(device=device)]
    return torch.cat(logits).softmax(1)[:, 1].cpu().numpy().astype(float)


def facts(config: OptimiserConfig, trainer: Mapping, device: torch.device) -> dict:
    """Where and how a training runs: device, precision, and whether the backbone is compiled."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    arithmetic = trainers.precision(trainer, device)
    return {"device": name, "precision": arithmetic, "compiled": compiles(config, device)}


def compiles(config: OptimiserConfig, device: torch.device) -> bool:
    """Say whether the backbone is compiled: where it pays, on GPUs, or as the settings say."""
    if config.compile == "auto":
        return device.type == "cuda" and find_spec("triton") is not None
    return config.compile == "always"


@contextmanager
def _compiled(backbone: Backbone, config: OptimiserConfig, device: torch.device) -> Iterator[None]:
    """Run the backbone compiled for the time of training; shapes are the same at every step."""
    if not compiles(config, device):
        yield
        return
    backbone.forward = torch.compile(backbone.forward, dynamic=False)
    try:
        yield
    finally:
        del backbone.forward
