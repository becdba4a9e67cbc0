"""Random views of slices by Kornia, made on the device, in one interpolation.

Kornia draws the parameters of each augmentation and gives their matrices; the matrices of a view
are multiplied, and the slice is warped once. Run one after another, the same augmentations would
blur a slice several times and take about twice as long. What a crop leaves outside may come back
at the rim when the view is moved or turned, where the sequence shows 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from difflib import get_close_matches

import torch
from kornia import augmentation
from kornia.geometry.transform import warp_affine, warp_perspective
from torch import Tensor, nn

from hepatoclr.base.errors import UserError

CROP_RATIO = (3 / 4, 4 / 3)  # of width to height, the default of Kornia and torchvision
CPU = torch.device("cpu")
MATRIX = augmentation.GeometricAugmentationBase2D
WARPED = (  # no matrix says what they do
    augmentation.RandomElasticTransform,
    augmentation.RandomFisheye,
    augmentation.RandomThinPlateSpline,
)


class Augmentation:
    """Flips, a resized crop, a translation, a rotation, then what else is asked for, then CutOut.

    Every slice draws its own changes, on the CPU, so that they are the same on every device. The
    defaults are those of the follow-up's code (arXiv 2307.04617).

    Args:
        horizontal_flip, vertical_flip, crop, translation, rotation, cutout: Probabilities.
        crop_scale: Lowest and highest share of the area that a crop keeps.
        translation_share: Largest translation as a share of the side.
        rotation_degrees: Largest rotation to either side.
        kornia: Names of further augmentations of Kornia and their arguments. Those that are
            matrices follow the rotation, before the interpolation; the others come after it.

    Raises:
        UserError: Kornia has no such augmentation, or not with such arguments.
    """

    def __init__(
        self,
        horizontal_flip: float = 0.5,
        vertical_flip: float = 0.5,
        crop: float = 0.5,
        crop_scale: tuple[float, float] = (0.7, 0.7),
        translation: float = 0.5,
        translation_share: float = 0.2,
        rotation: float = 0.5,
        rotation_degrees: float = 30,
        cutout: float = 0,
        kornia: Mapping[str, Mapping] | None = None,
    ) -> None:
        self.crop, self.crop_scale = crop, crop_scale
        chosen = {
            "RandomHorizontalFlip": {"p": horizontal_flip},
            "RandomVerticalFlip": {"p": vertical_flip},
        }
        self.flips = [_make(name, given) for name, given in chosen.items() if given["p"]]
        self.moves, self.others = [], []
        if translation:
            given = {"degrees": 0, "translate": [translation_share] * 2, "p": translation}
            self.moves.append(_make("RandomAffine", given))
        if rotation:
            self.moves.append(_make("RandomRotation", {"degrees": rotation_degrees, "p": rotation}))
        for name, given in (kornia or {}).items():
            step = _make(name, given)
            is_matrix = isinstance(step, MATRIX) and not isinstance(step, WARPED)
            (self.moves if is_matrix else self.others).append(step)
        if cutout:
            self.others.append(_make("RandomErasing", {"p": cutout}))

    def __call__(self, images: Tensor, keys: Sequence[int], rank: int = 0, size: int = 1) -> Tensor:
        """Draw views of each slice.

        Args:
            images: Slices, shape (n, 1, side, side), in [0, 1]; outside lies 0.
            keys: One per view; decides its draws, whatever was drawn before.
            rank, size: The slices are each `size`-th of a larger batch, from the `rank`-th on;
                their views are those that they have in it.

        Returns:
            Views, shape (views, n, 1, side, side).
        """
        shape = torch.Size([len(images) * size, *images.shape[1:]])
        return torch.stack([self._view(images, shape, key, rank, size) for key in keys])

    @torch.no_grad()
    def _view(self, images: Tensor, shape: torch.Size, key: int, rank: int, size: int) -> Tensor:
        """One view of each slice of a share of a batch of some shape."""
        matrices, draws = self.draw(shape, key)
        view = self.warp(images, matrices[rank::size])
        for step, drawn in zip(self.others, draws, strict=True):
            own = {name: _share(item, shape, rank, size) for name, item in drawn.items()}
            view = step(view, params={**own, "forward_input_shape": torch.tensor(view.shape)})
        return view

    def draw(self, shape: torch.Size, key: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Draw all that is random in a view of a batch of some shape, on the CPU.

        Returns:
            The matrices, see `matrices`, and the parameters of each further augmentation.
        """
        with _drawing(key):
            return self.matrices(shape), [step.forward_parameters(shape) for step in self.others]

    def matrices(self, shape: torch.Size) -> Tensor:
        """Draw the matrices of a batch, from the slice's pixels to the view's, (n, 3, 3)."""
        steps = [_matrices(step, shape) for step in self.flips]
        if self.crop:
            # Kornia decides once per batch whether to crop
            crop = augmentation.RandomResizedCrop(
                shape[-2:], tuple(self.crop_scale), CROP_RATIO, p=1.0
            )
            cropped = torch.rand(shape[0]) < self.crop
            steps.append(torch.where(cropped[:, None, None], _matrices(crop, shape), torch.eye(3)))
        steps += [_matrices(step, shape) for step in self.moves]
        whole = torch.eye(3).expand(shape[0], 3, 3)
        for step in steps:
            whole = step @ whole
        return whole

    def warp(self, images: Tensor, matrices: Tensor) -> Tensor:
        """Interpolate slices bilinearly once, 0 outside."""
        matrices = matrices.to(images, non_blocking=True)
        if any(isinstance(step, augmentation.RandomPerspective) for step in self.moves):
            return warp_perspective(images, matrices, images.shape[-2:], align_corners=True)
        return warp_affine(images, matrices[:, :2], images.shape[-2:], align_corners=True)


def _make(name: str, given: Mapping) -> nn.Module:
    """One of Kornia's augmentations."""
    known = [each for each in dir(augmentation) if each.startswith("Random") and "3D" not in each]
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UserError(f"augmentation.kornia: there is no {name!r} in Kornia{hint}")
    lists = {key: tuple(item) if isinstance(item, list) else item for key, item in given.items()}
    try:
        with _on_cpu():
            return getattr(augmentation, name)(**lists)
    except (TypeError, ValueError) as error:
        raise UserError(f"augmentation.kornia.{name}: {error}") from error


def _matrices(step: nn.Module, shape: torch.Size) -> Tensor:
    """Draw the matrices of one augmentation, shape (n, 3, 3)."""
    drawn = step.forward_parameters(shape)
    like = torch.empty(()).expand(shape)  # its pixels are not looked at
    return step.generate_transformation_matrix(like, drawn, step.flags)


def _share(drawn: Tensor, shape: torch.Size, rank: int, size: int) -> Tensor:
    """What concerns a share of a batch of the parameters that were drawn for all of it."""
    return drawn[rank::size] if drawn.ndim and len(drawn) == shape[0] else drawn


@contextmanager
def _drawing(key: int) -> Iterator[None]:
    """Draw by a key; Kornia draws by PyTorch's own generator, which is left as it was."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(key)
    try:
        with _on_cpu():
            yield
    finally:
        torch.set_rng_state(before)


def _on_cpu() -> AbstractContextManager:
    """Make tensors on the CPU where no device is named, even if another is PyTorch's default."""
    # a mode slows all that is called in it, draws by half
    return nullcontext() if torch.get_default_device() == CPU else CPU
