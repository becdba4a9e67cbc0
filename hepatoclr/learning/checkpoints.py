"""Where the checkpoints of a training lie: beside its first output, by what it is made from.

Snakemake deletes declared outputs before a job, so that what a killed training goes on from is not
among them.
"""

import logging
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from hepatoclr.base import files

log = logging.getLogger(__name__)

SUFFIX = ".checkpoints"


@contextmanager
def beside(output: str | Path, key: str) -> Iterator[Path]:
    """Give the folder of a training's checkpoints, and remove it when the training has ended well.

    Folders that trainings of other settings, data or code left beside the output go first.

    Args:
        output: First file that the training gives.
        key: What it is made from, see `cutoff.made_from`.
    """
    output = Path(output)
    folder = output.with_name(f"{output.stem}.{key[:12]}{SUFFIX}")
    for other in output.parent.glob(f"{output.stem}.*{SUFFIX}"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    yield folder
    if not rank_zero_only.rank:
        shutil.rmtree(folder, ignore_errors=True)


def intact(checkpoint: Path) -> Path | None:
    """A checkpoint, where it is as it was written: PyTorch does not look at its checksums."""
    try:
        with zipfile.ZipFile(checkpoint) as parts:
            if parts.testzip() is None:
                return checkpoint
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, RuntimeError, ValueError):  # as `zipfile` says of flipped bits
        pass
    log.warning("the checkpoint %s is damaged; training starts anew", checkpoint)
    checkpoint.unlink()
    return None


class AtomicIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all; Lightning's own way there may be by another disk."""

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options=None) -> None:
        """Write a checkpoint.

        Raises:
            UserError: The disk is full.
        """
        with files.atomic(path) as temporary:
            torch.save(checkpoint, temporary)
