"""The training loop of pretraining and fine-tuning.

All randomness is keyed: an epoch's draw by its number, a view by its step and name. A run that was
killed and resumed therefore takes exactly the steps of one that was not.
"""

import hashlib
import json
import logging
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hepatoclr.base import files, seeds
from hepatoclr.base.errors import UserError
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.backbone import Backbone, Network
from hepatoclr.learning.data import Sampler, Slices
from hepatoclr.learning.team import Shared, Team

log = logging.getLogger(__name__)

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
ALONE = Team()
STATE, DONE = ".state", ".done"
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class Objective(Protocol):
    """What training minimises; the methods are such, see `methods.base.Method`."""

    views: tuple[str, ...]

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Loss of one batch of augmented views."""


@dataclass(frozen=True)
class Recipe:
    """How to train: the keys of the configuration's sections pretraining and finetune."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimiser: str
    precision: str
    compile: str = "auto"


def fit(
    network: Network,
    objective: Objective,
    slices: Slices,
    sampler: Sampler,
    augmentation: Augmentation,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    state: Path | None = None,
    after_epoch: Callable[[Network, dict], None] | None = None,
    team: Team = ALONE,
) -> list[dict]:
    """Train a network in place.

    Args:
        network: Starts from the weights it has.
        objective: Names the views it wants and gives their loss.
        slices: What to train on; the sampler's targets belong to them, in the same order.
        sampler: Draws the slices of each epoch.
        augmentation: Makes the views.
        recipe: How to train.
        device: Where to train.
        seed: Seed of the views.
        state: File of the resumable state; what an interrupted run left in it is continued.
        after_epoch: Called with the network and the epoch's line of history.
        team: Processes that train the same network; `state` and `after_epoch` are member 0's.

    Returns:
        The history, a line per epoch: epoch (from 1), loss, learning_rate, samples, seconds.

    Raises:
        UserError: The loss is not finite; an epoch does not fill a batch; a batch cannot be
            shared evenly.
    """
    if recipe.batch_size % team.size:
        raise UserError(
            f"batch_size {recipe.batch_size} cannot be shared evenly by {team.size} processes"
        )
    network.to(device)
    per_epoch = max(1, len(sampler) // recipe.batch_size)
    steps = _Steps(network, objective, augmentation, recipe, device, seed, team, per_epoch)
    history = steps.restore(state)
    labels = torch.from_numpy(np.asarray(sampler.target, dtype=np.int64)).to(device)
    with _compiled(network.backbone, recipe, device):
        for epoch in range(len(history), recipe.epochs):
            started, losses = time.monotonic(), []
            network.train()
            batches = list(sampler.batches(epoch, recipe.batch_size))
            read = slices.prefetch(map(team.share, batches), device)
            progress = tqdm(
                zip(batches, read, strict=True),
                f"epoch {epoch + 1}",
                per_epoch,
                leave=False,
                file=sys.__stderr__,
                disable=None if team.rank == 0 else True,
            )
            for number, (batch, images) in enumerate(progress, start=epoch * per_epoch):
                losses.append(steps.take(number, images, labels[batch]))
            history.append(_line(epoch, losses, steps.rate, recipe.batch_size, started, state))
            if team.rank == 0:
                log.info("%s", history[-1])
                if after_epoch:
                    after_epoch(network, history[-1])
                steps.save(state, history)
    return history


class _Steps:
    """The steps of one training, and what must be kept to go on after any of its epochs."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        augmentation: Augmentation,
        recipe: Recipe,
        device: torch.device,
        seed: int,
        team: Team,
        per_epoch: int,
    ) -> None:
        self.network, self.objective, self.augmentation = network, objective, augmentation
        self.recipe, self.device, self.seed, self.team = recipe, device, seed, team
        self.total = per_epoch * recipe.epochs
        self.rate = recipe.learning_rate
        self.optimiser = OPTIMISERS[recipe.optimiser](
            network.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=True,  # one pass over the weights, three times quicker on a CPU
        )
        self.half = precision(recipe, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half == torch.float16)

    def take(self, number: int, images: Tensor, labels: Tensor) -> Tensor:
        """Take step `number` on this member's images; the labels are those of the whole batch."""
        self.rate = _cosine(self.recipe.learning_rate, number / self.total)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        seeds = [_key(self.seed, number, name) for name in self.objective.views]
        views = self.augmentation(images, seeds, self.team.rank, self.team.size)
        named = dict(zip(self.objective.views, views, strict=True))
        with torch.autocast(self.device.type, self.half, enabled=self.half != torch.float32):
            loss = self.objective.loss(Shared(self.network, self.team), named, labels)
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        self.team.add_gradients(self.network)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()

    def save(self, state: Path | None, history: list[dict]) -> None:
        """Write what `restore` reads."""
        if state:
            parts = {name: part.state_dict() for name, part in self._parts().items()}
            with files.atomic(state) as temporary:
                torch.save({**parts, "history": history}, temporary)

    def restore(self, state: Path | None) -> list[dict]:
        """Continue from a state; gives the history so far, empty where there is no state."""
        if not state or not state.exists():
            return []
        if not _whole(state):
            files.refuse([state])
        saved = torch.load(state, weights_only=True, map_location=self.device)
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        log.info("continuing after epoch %d", len(saved["history"]))
        return saved["history"]

    def _parts(self) -> dict:
        scaler = {"scaler": self.scaler} if self.scaler.is_enabled() else {}
        return {"network": self.network, "optimiser": self.optimiser, **scaler}


def _whole(state: Path) -> bool:
    """Say whether a state is as it was written, by its checksums, which PyTorch does not look at.

    It has no seal: killed between the two, a training would find a new state with an old seal.
    """
    try:
        with zipfile.ZipFile(state) as parts:
            return parts.testzip() is None
    except zipfile.BadZipFile:
        return False


@torch.inference_mode()
def probabilities(network: Network, slices: Slices, device: torch.device) -> np.ndarray:
    """Probability of the positive class for each slice, without augmentation, shape (n,)."""
    network.to(device).eval()
    logits = [network.classify(chunk).float() for chunk in slices.chunks(device=device)]
    return torch.cat(logits).softmax(1)[:, 1].cpu().numpy().astype(float)


def recipe(settings: Mapping) -> Recipe:
    """Take the recipe out of a section of the configuration."""
    return Recipe(**{field.name: settings[field.name] for field in fields(Recipe)})


def state_file(output: str | Path, settings: Sequence, inputs: Iterable[str]) -> Path:
    """Name the resumable state of an output after all that training depends on.

    Args:
        output: The file that training will give; the state lies beside it.
        settings: What JSON can hold of settings, seeds, code, and keys of cached slices.
        inputs: Files trained on; their contents go into the name.
    """
    text = json.dumps([settings, list(map(files.sha256, inputs))], default=dict, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Path(output).with_name(f"{Path(output).stem}.{key}{STATE}")


def finished(state: Path, outputs: Iterable[str]) -> bool:
    """Say whether the training that a state belongs to has ended, and its outputs are intact.

    So they are what it would give again: they are marked as new, and nothing need be trained.
    """
    if not state.with_suffix(DONE).exists() or not files.intact(outputs):
        return False
    log.info("nothing to train: data, settings and code are those of the results that are here")
    for output in outputs:
        os.utime(output)
    return True


def finish(state: Path, outputs: Sequence[str]) -> None:
    """Note that a training has ended, and remove the states beside the first of its outputs."""
    files.seal(outputs)
    done = state.with_suffix(DONE)
    done.touch()
    remove_states(outputs[0], but=[done])


def remove_states(output: str | Path, but: Sequence[Path] = ()) -> None:
    """Remove the states beside an output, left by finished training or by other settings."""
    stem = Path(output).stem
    for state in Path(output).parent.glob(f"{stem}.*.*"):
        if state.suffix in (STATE, DONE) and state not in but:
            state.unlink(missing_ok=True)  # members of a team clear up at the same time


def precision(recipe: Recipe, device: torch.device) -> torch.dtype:
    """Arithmetic of the network on a device; the losses are float32 whatever it is."""
    if recipe.precision != "auto":
        return PRECISIONS[recipe.precision]
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def facts(settings: Mapping, device: torch.device) -> dict:
    """Where and how a training runs: device, precision, and whether the backbone is compiled."""
    how = recipe(settings)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    used = str(precision(how, device)).removeprefix("torch.")
    return {"device": name, "precision": used, "compiled": compiles(how, device)}


def compiles(recipe: Recipe, device: torch.device) -> bool:
    """Say whether the backbone is compiled: where it pays, on GPUs, or as the recipe says."""
    if recipe.compile == "auto":
        return device.type == "cuda" and find_spec("triton") is not None
    return recipe.compile == "always"


@contextmanager
def _compiled(backbone: Backbone, recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Run the backbone compiled for the time of training; shapes are the same at every step."""
    if not compiles(recipe, device):
        yield
        return
    backbone.forward = torch.compile(backbone.forward, dynamic=False)
    try:
        yield
    finally:
        del backbone.forward


def _cosine(start: float, progress: float) -> float:
    return float(start * (1 + np.cos(np.pi * progress)) / 2)


def _key(seed: int, step: int, view: str) -> int:
    return seeds.derived(seed, step, crc32(view.encode()))


def _line(
    epoch: int, losses: list[Tensor], rate: float, batch_size: int, started: float, state
) -> dict:
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        kept = f"; the state after epoch {epoch} is kept in {state}" if state and epoch else ""
        raise UserError(
            f"the loss is {loss} in epoch {epoch + 1}; lower learning_rate, "
            f"or set precision to float32{kept}"
        )
    return {
        "epoch": epoch + 1,
        "loss": loss,
        "learning_rate": rate,
        "samples": len(losses) * batch_size,
        "seconds": round(time.monotonic() - started, 3),
    }
