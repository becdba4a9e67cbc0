"""The training loop of pretraining and fine-tuning, on Lightning Fabric.

All randomness is keyed: an epoch's draw by its number, a view by its step and name. A run that was
killed and resumed therefore takes exactly the steps of one that was not.
"""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from hepatoclr import files, seeds
from hepatoclr.augment import Augmentation
from hepatoclr.backbone import Network
from hepatoclr.data import Sampler, Slices
from hepatoclr.errors import UserError

log = logging.getLogger(__name__)

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
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

    Returns:
        The history, a line per epoch: epoch (from 1), loss, learning_rate, samples.

    Raises:
        UserError: The loss is not finite; or an epoch does not fill a batch.
    """
    fabric = Fabric(accelerator=device.type, devices=1, precision=_precision(recipe, device))
    optimiser = OPTIMISERS[recipe.optimiser](
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    model, optimiser = fabric.setup(network, optimiser)
    model.mark_forward_method("classify")
    model.mark_forward_method("project")
    history = _restore(state, fabric, network, optimiser)
    steps = max(1, len(sampler) // recipe.batch_size)
    labels = torch.from_numpy(np.asarray(sampler.target, dtype=np.int64))
    for epoch in range(len(history), recipe.epochs):
        started, losses = time.monotonic(), []
        model.train()
        batches = enumerate(sampler.batches(epoch, recipe.batch_size), start=epoch * steps)
        for step, batch in tqdm(
            batches, f"epoch {epoch + 1}", steps, leave=False, file=sys.__stderr__, disable=None
        ):
            rate = _cosine(recipe.learning_rate, step / (steps * recipe.epochs))
            for group in optimiser.param_groups:
                group["lr"] = rate
            images = slices.fetch(batch).to(device)
            views = {name: augmentation(images, _key(seed, step, name)) for name in objective.views}
            loss = objective.loss(model, views, labels[batch].to(device))
            optimiser.zero_grad()
            fabric.backward(loss)
            optimiser.step()
            losses.append(loss.detach())
        history.append(_line(epoch, losses, rate, recipe.batch_size))
        log.info("%s, %.1f s", history[-1], time.monotonic() - started)
        if after_epoch:
            after_epoch(network, history[-1])
        _save(state, fabric, network, optimiser, history)
    return history


@torch.inference_mode()
def probabilities(network: Network, slices: Slices, device: torch.device) -> np.ndarray:
    """Probability of the positive class for each slice, without augmentation, shape (n,)."""
    network.to(device).eval()
    logits = [network.classify(chunk.to(device)).float() for chunk in slices.chunks()]
    return torch.cat(logits).softmax(1)[:, 1].cpu().numpy().astype(float)


def recipe(settings: Mapping) -> Recipe:
    """Take the recipe out of a section of the configuration."""
    return Recipe(**{field.name: settings[field.name] for field in fields(Recipe)})


def state_file(output: str | Path, settings: Sequence, inputs: Sequence[str]) -> Path:
    """Name the resumable state of an output after all that training depends on.

    Args:
        output: The file that training will give; the state lies beside it.
        settings: What JSON can hold of settings, seeds and code.
        inputs: Files trained on; their sizes and times go into the name.
    """
    seen = [
        (str(path), Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in inputs
    ]
    text = json.dumps([settings, seen], default=dict, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Path(output).with_name(f"{Path(output).stem}.{key}.state")


def remove_states(output: str | Path, but: Sequence[Path] = ()) -> None:
    """Remove the states beside an output, left by finished training or by other settings."""
    for state in Path(output).parent.glob(f"{Path(output).stem}.*.state"):
        if state not in but:
            state.unlink()


def _precision(recipe: Recipe, device: torch.device) -> str:
    if recipe.precision != "auto":
        return PRECISIONS[recipe.precision]
    if device.type == "cpu":
        return PRECISIONS["float32"]
    return PRECISIONS["bfloat16" if torch.cuda.is_bf16_supported() else "float16"]


def _cosine(start: float, progress: float) -> float:
    return float(start * (1 + np.cos(np.pi * progress)) / 2)


def _key(seed: int, step: int, view: str) -> int:
    return seeds.derived(seed, step, crc32(view.encode()))


def _line(epoch: int, losses: list[Tensor], rate: float, batch_size: int) -> dict:
    loss = float(torch.stack(losses).mean())
    if not np.isfinite(loss):
        raise UserError(
            f"the loss is {loss} in epoch {epoch + 1}; lower learning_rate, "
            "or set precision to float32"
        )
    samples = len(losses) * batch_size
    return {"epoch": epoch + 1, "loss": loss, "learning_rate": rate, "samples": samples}


def _save(state: Path | None, fabric: Fabric, network: Network, optimiser, history: list) -> None:
    if state:
        with files.atomic(state) as temporary:
            torch.save(
                {
                    "network": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "precision": fabric.strategy.precision.state_dict(),
                    "history": history,
                },
                temporary,
            )


def _restore(state: Path | None, fabric: Fabric, network: Network, optimiser) -> list[dict]:
    """Continue from a state; gives the history so far, empty where there is no state."""
    if not state or not state.exists():
        return []
    saved = torch.load(state, weights_only=True, map_location=fabric.device)
    network.load_state_dict(saved["network"])
    optimiser.load_state_dict(saved["optimiser"])
    fabric.strategy.precision.load_state_dict(saved["precision"])
    log.info("continuing after epoch %d", len(saved["history"]))
    return saved["history"]
