"""Random views of slices, made on the device, all views of a batch in one interpolation.

Flip, crop, translation and rotation of a view are one affine matrix, drawn and multiplied on the
device; the slice is interpolated once. Numbers lie in [-1, 1] along both sides of a slice, the
centre of the corner pixels inside, as `grid_sample` has them without `align_corners`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

TRIES = 10  # at the shape of a crop, before the whole slice is taken
LONGEST = 4 / 3  # aspect ratio of a crop
CUTOUT_AREA, CUTOUT_LONGEST = (0.02, 0.33), 3.3  # of RandomErasing (Zhong et al. 2017)


class Augmentation:
    """Flips, a resized crop, a translation, a rotation and, if asked for, CutOut.

    Every slice draws its own changes. They are those of Kornia's RandomHorizontalFlip,
    RandomVerticalFlip, RandomResizedCrop, RandomAffine and RandomRotation one after another, with
    two differences: each slice decides for itself whether it is cropped, and what a crop leaves
    outside may come back at the rim when the view is moved or turned, where the chain shows 0.

    Args:
        horizontal_flip, vertical_flip, crop, translation, cutout: Probabilities.
        crop_scale: Smallest share of the area that a crop keeps.
        translation_share: Largest translation as a share of the side.
        rotation_degrees: Largest rotation to either side.
        engine: "composed", or "kornia_sequential", the chain itself, for comparison.
    """

    def __init__(
        self,
        horizontal_flip: float = 0.5,
        vertical_flip: float = 0.5,
        crop: float = 0.5,
        crop_scale: float = 0.7,
        translation: float = 0.5,
        translation_share: float = 0.2,
        rotation_degrees: float = 30,
        cutout: float = 0,
        engine: str = "composed",
    ) -> None:
        self.flips = (horizontal_flip, vertical_flip)
        self.crop, self.crop_scale = crop, crop_scale
        self.translation, self.translation_share = translation, translation_share
        self.rotation_degrees = rotation_degrees
        self.cutout = cutout
        self.engine = engine

    def __call__(
        self, images: Tensor, seeds: Sequence[int], rank: int = 0, size: int = 1
    ) -> Tensor:
        """Draw views of each slice.

        Args:
            images: Slices, shape (n, 1, side, side), in [0, 1]; outside lies 0.
            seeds: One per view; decides its draws, whatever was drawn before.
            rank, size: The slices are each `size`-th of a larger batch, from the `rank`-th on;
                the composed views are those that they have in it.

        Returns:
            Views, shape (views, n, 1, side, side).
        """
        if self.engine == "kornia_sequential":
            chain = self._chain()
            return torch.stack([chain(images, seed + rank) for seed in seeds])
        draws = torch.cat(
            [_uniform(len(images) * size, seed, images.device)[rank::size] for seed in seeds]
        )
        every = images.expand(len(seeds), *images.shape).flatten(0, 1)
        views = warp(every, self.matrices(draws))
        if self.cutout:
            views = self._cut(views, draws)
        return views.unflatten(0, (len(seeds), -1))

    def matrices(self, draws: Tensor) -> Tensor:
        """Turn uniform draws in [0, 1), shape (n, DRAWS), into matrices (n, 2, 3).

        A matrix takes a point of the view to the point of the slice that is seen there.
        """
        flips, crop, place, translate, move, turn, shapes, _ = draws.split(LAYOUT, dim=1)
        mirror = 1 - 2 * (flips < draws.new_tensor(self.flips)).float()
        width, height = self._crop(shapes)
        cropped = crop < self.crop
        extent = torch.where(cropped, torch.cat([width, height], 1), 1.0) * mirror
        centre = torch.where(cropped, (1 - extent.abs()) * (2 * place - 1), 0.0) * mirror
        shift = 2 * self.translation_share * (2 * move - 1) * (translate < self.translation)
        angle = math.radians(self.rotation_degrees) * (2 * turn[:, 0] - 1)
        cos, sin = angle.cos(), angle.sin()
        rotation = torch.stack([cos, -sin, sin, cos], 1).unflatten(1, (2, 2))
        # mirror . crop . translation . rotation, from the right
        return torch.cat([extent[:, :, None] * rotation, (centre + extent * shift)[..., None]], 2)

    def _crop(self, shapes: Tensor) -> tuple[Tensor, Tensor]:
        """Width and height of a crop as shares of the side, the first of the tries that fits."""
        area = self.crop_scale + (1 - self.crop_scale) * shapes[:, :TRIES]
        width, height = _sides(area, shapes[:, TRIES:], LONGEST)
        fits = (width <= 1) & (height <= 1)
        first = fits.float().argmax(1, keepdim=True)
        found = fits.gather(1, first)
        return tuple(torch.where(found, side.gather(1, first), 1.0) for side in (width, height))

    def _cut(self, views: Tensor, draws: Tensor) -> Tensor:
        """Set a rectangle to 0."""
        whether, area, ratio, *place = draws[:, -5:].unbind(1)
        low, high = CUTOUT_AREA
        area = low + (high - low) * area
        sides = [side.clamp(max=1) for side in _sides(area, ratio, CUTOUT_LONGEST)]
        axis = _axis(views)
        column, row = (
            (axis - ((1 - side) * (2 * where - 1))[:, None]).abs() < side[:, None]
            for side, where in zip(sides, place, strict=True)
        )
        cut = row[:, :, None] & column[:, None, :] & (whether < self.cutout)[:, None, None]
        return views.masked_fill(cut[:, None], 0)

    def _chain(self):
        from hepatoclr.learning.kornia_chain import (
            KorniaChain,  # Kornia takes longer to import than to run
        )

        return KorniaChain(
            *self.flips,
            self.crop,
            self.crop_scale,
            self.translation,
            self.translation_share,
            self.rotation_degrees,
            self.cutout,
        )


# uniform draws of one view: flips, whether to crop, where, whether to translate, how far, angle,
# tries at the crop's shape, CutOut
LAYOUT = (2, 1, 2, 1, 2, 1, 2 * TRIES, 5)
DRAWS = sum(LAYOUT)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Resample slices bilinearly, 0 outside.

    Args:
        images: Shape (n, 1, side, side).
        matrices: Shape (n, 2, 3), from points of the result to points of the slice.
    """
    axis = _axis(images)
    # the grid is a sum of a row and a column, x and y as planes: on a CPU many times quicker
    # than `affine_grid`
    along = matrices[:, :, 0, None] * axis
    down = matrices[:, :, 1, None] * axis + matrices[:, :, 2, None]
    grid = along[:, :, None, :] + down[:, :, :, None]
    return functional.grid_sample(images, grid.movedim(1, -1), align_corners=False)


def _sides(area: Tensor, draws: Tensor, longest: float) -> tuple[Tensor, Tensor]:
    """Width and height of rectangles of some area, their aspect ratio drawn evenly in its log."""
    ratio = torch.exp(math.log(longest) * (2 * draws - 1))
    return (area * ratio).sqrt(), (area / ratio).sqrt()


def _axis(images: Tensor) -> Tensor:
    """Centres of the pixels along a side."""
    side = images.shape[-1]
    return (torch.arange(side, device=images.device, dtype=images.dtype) * 2 + 1) / side - 1


def _uniform(count: int, seed: int, device: torch.device) -> Tensor:
    generator = torch.Generator(device).manual_seed(seed)
    return torch.rand(count, DRAWS, generator=generator, device=device)
