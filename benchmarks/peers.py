"""The peers, called as their own documentation does, on our backbone and head.

The packages of lightly and solo-learn import torchvision or other packages that have no place
beside this torch, though the files of their losses do not. So those packages are opened as plain
folders, without running their `__init__`; what is then imported is their code as published.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module, util
from importlib.machinery import ModuleSpec
from pathlib import Path

import kornia.augmentation as kornia
import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


# --- losses --------------------------------------------------------------------------------


def lightly_nt_xent(temperature: float = 0.1) -> Loss:
    """NTXentLoss of lightly."""
    folder = _folder("lightly")
    for package in ("lightly.loss", "lightly.models", "lightly.models.modules"):
        _open(package, folder)
    # asked for by the memory bank, used only with several GPUs, and in need of torchvision
    _later("lightly.models.utils", folder)
    return import_module("lightly.loss.ntx_ent_loss").NTXentLoss(temperature)


def solo_nt_xent(temperature: float = 0.1) -> Loss:
    """simclr_loss_func of solo-learn."""
    function = _solo()
    return lambda first, second: function(first, second, temperature)


def solo_sup_con(labels: Tensor, temperature: float = 0.1) -> Loss:
    """The same, given the views of slices of one label as further positives: SupCon."""
    function = _solo()
    both = torch.cat([labels, labels])
    more = (both[:, None] == both[None, :]).fill_diagonal_(False)
    return lambda first, second: function(first, second, temperature, more)


def metric_nt_xent(temperature: float = 0.1) -> Loss:
    """NTXentLoss of pytorch-metric-learning, where a pair of views is a class."""
    from pytorch_metric_learning.losses import NTXentLoss

    loss = NTXentLoss(temperature=temperature)

    def of(first: Tensor, second: Tensor) -> Tensor:
        pairs = torch.arange(len(first), device=first.device)
        return loss(torch.cat([first, second]), torch.cat([pairs, pairs]))

    return of


def metric_sup_con(labels: Tensor, temperature: float = 0.1) -> Loss:
    """SupConLoss of pytorch-metric-learning."""
    from pytorch_metric_learning.losses import SupConLoss

    loss, both = SupConLoss(temperature=temperature), torch.cat([labels, labels])
    return lambda first, second: loss(torch.cat([first, second]), both)


def _solo() -> Callable:
    folder = _folder("solo")
    for package in ("solo", "solo.losses"):
        _open(package, folder)
    return import_module("solo.losses.simclr").simclr_loss_func


def _folder(package: str) -> Path:
    """Where a package lies, found without importing it.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    found = util.find_spec(package)
    if found is None:
        raise ModuleNotFoundError(f"{package} is not installed; make bench does", name=package)
    return Path(found.submodule_search_locations[0])


def _open(package: str, root: Path) -> None:
    """Let a package be known by its folder alone, so that its `__init__` does not run."""
    if package not in sys.modules:
        spec = ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(root.joinpath(*package.split(".")[1:]))]
        sys.modules[package] = util.module_from_spec(spec)


def _later(module: str, root: Path) -> None:
    """Let a module run when something in it is asked for."""
    if module not in sys.modules:
        path = root.joinpath(*module.split(".")[1:]).with_suffix(".py")
        spec = util.spec_from_file_location(module, path)
        spec.loader = util.LazyLoader(spec.loader)
        sys.modules[module] = util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])


# --- views and steps -----------------------------------------------------------------------


def kornia_chain(size: int, settings: Mapping) -> nn.Sequential:
    """The augmentation as one writes it with Kornia: a transform after the other.

    Args:
        size: Rows and columns of the slices.
        settings: The configuration's section `augmentation`.
    """
    shift = (settings["translation_share"],) * 2
    return nn.Sequential(
        kornia.RandomHorizontalFlip(p=settings["horizontal_flip"]),
        kornia.RandomVerticalFlip(p=settings["vertical_flip"]),
        kornia.RandomResizedCrop(
            (size, size), scale=tuple(settings["crop_scale"]), p=settings["crop"]
        ),
        kornia.RandomAffine(degrees=0, translate=shift, p=settings["translation"]),
        kornia.RandomRotation(settings["rotation_degrees"], p=settings["rotation"]),
    )


class Step:
    """A SimCLR training step as in the peers' examples: two views, loss, Adam, plain eager.

    Args:
        network: Has `project`; trained in place.
        loss: Of the two projections.
        chain: Makes a view of a batch.
        rate, decay: Learning rate and weight decay.
    """

    def __init__(
        self, network: nn.Module, loss: Loss, chain: nn.Module, rate: float, decay: float
    ) -> None:
        self.network, self.loss, self.chain = network.train(), loss, chain
        self.optimiser = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)

    def __call__(self, images: Tensor) -> Tensor:
        """Take a step on a batch (n, 1, size, size); returns the loss."""
        with torch.no_grad():
            views = self.chain(images), self.chain(images)
        loss = self.loss(*(self.network.project(view) for view in views))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()


def lightly_step(
    network: nn.Module, images: Tensor, augmentation: Mapping, recipe: object
) -> Callable[[], float]:
    """Measure a training step in lightly's manner.

    lightly's own transforms are torchvision's, a slice at a time in the loader's workers; here
    Kornia's chain on the batch stands for them, which is quicker.

    Args:
        network: Has `project`.
        images: The batch, in memory.
        augmentation: The configuration's section.
        recipe: Has learning_rate and weight_decay.

    Returns:
        A competitor of `common.rounds`: views per second of one step.
    """
    return _measured(lightly_nt_xent(), network, images, augmentation, recipe)


def solo_step(
    network: nn.Module, images: Tensor, augmentation: Mapping, recipe: object
) -> Callable[[], float]:
    """The same with solo-learn's loss."""
    return _measured(solo_nt_xent(), network, images, augmentation, recipe)


def _measured(
    loss: Loss, network: nn.Module, images: Tensor, augmentation: Mapping, recipe: object
) -> Callable[[], float]:
    chain = kornia_chain(images.shape[-1], augmentation)
    step = Step(network, loss, chain, recipe.learning_rate, recipe.weight_decay)

    def competitor() -> float:
        start = time.perf_counter()
        step(images)
        return 2 * len(images) / (time.perf_counter() - start)

    return competitor


def train(step: Step, batches: Iterable[Tensor], steps: int) -> None:
    """Train over batches with the learning rate falling as a cosine to 0."""
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(step.optimiser, T_max=steps)
    for images in batches:
        step(images)
        schedule.step()
