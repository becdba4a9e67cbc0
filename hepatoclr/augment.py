"""Random views of slices, made on the device by Kornia, a whole batch at a time."""

import kornia.augmentation as kornia
import torch
from torch import Tensor, nn


class Augmentation(nn.Module):
    """Flips, a resized crop, a translation, a rotation and, if asked for, CutOut.

    Every slice draws its own changes. Kornia decides once per batch whether to crop, so here
    the crop is always made and kept for the slices whose own draw says so.

    Args:
        horizontal_flip, vertical_flip, crop, translation, cutout: Probabilities.
        crop_scale: Smallest share of the area that a crop keeps.
        translation_share: Largest translation as a share of the side.
        rotation_degrees: Largest rotation to either side.
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
    ) -> None:
        super().__init__()
        self.crop, self.crop_scale = crop, crop_scale
        shift = (translation_share, translation_share)
        self.flips = nn.Sequential(
            kornia.RandomHorizontalFlip(p=horizontal_flip),
            kornia.RandomVerticalFlip(p=vertical_flip),
        )
        self.moves = nn.Sequential(
            kornia.RandomAffine(degrees=0, translate=shift, p=translation),
            kornia.RandomRotation(rotation_degrees, p=1.0),
            *([kornia.RandomErasing(p=cutout)] if cutout else []),
        )

    @torch.no_grad()
    def forward(self, images: Tensor, seed: int) -> Tensor:
        """Draw one view of each slice.

        Args:
            images: Slices, shape (n, 1, rows, columns), in [0, 1]; what moves in from outside is 0.
            seed: Decides the draws, whatever was drawn before.

        Returns:
            Views, same shape.
        """
        torch.manual_seed(seed)
        images = self.flips(images)
        if self.crop:
            cropped = kornia.RandomResizedCrop(
                images.shape[-2:], scale=(self.crop_scale, 1.0), ratio=(0.75, 4 / 3), p=1.0
            )(images)
            chosen = torch.rand(len(images), device=images.device) < self.crop
            images = torch.where(chosen[:, None, None, None], cropped, images)
        return self.moves(images)
