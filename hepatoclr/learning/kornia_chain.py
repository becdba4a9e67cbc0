"""The augmentations one after another, by Kornia: what `augment` composes, for comparison."""

import kornia.augmentation as kornia
import torch
from torch import Tensor, nn


class KorniaChain(nn.Module):
    """Flips, a resized crop, a translation, a rotation and, if asked for, CutOut.

    Kornia decides once per batch whether to crop, so here the crop is always made and kept for the
    slices whose own draw says so.

    Args:
        horizontal_flip, vertical_flip, crop, crop_scale, translation, translation_share,
            rotation_degrees, cutout: See `augment.Augmentation`.
    """

    def __init__(
        self,
        horizontal_flip: float,
        vertical_flip: float,
        crop: float,
        crop_scale: float,
        translation: float,
        translation_share: float,
        rotation_degrees: float,
        cutout: float,
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
        """Draw one view of each slice, shape (n, 1, rows, columns), by a seed."""
        torch.manual_seed(seed)
        images = self.flips(images)
        if self.crop:
            cropped = kornia.RandomResizedCrop(
                images.shape[-2:], scale=(self.crop_scale, 1.0), ratio=(0.75, 4 / 3), p=1.0
            )(images)
            chosen = torch.rand(len(images), device=images.device) < self.crop
            images = torch.where(chosen[:, None, None, None], cropped, images)
        return self.moves(images)
