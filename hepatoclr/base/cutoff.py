"""Early cut-off: an expensive job ends at once where its outputs are what it would make.

Snakemake plans by times and parameters. Segmentation, pretraining and fine-tuning look at contents
too: their metadata names what the outputs were made from (settings, code, contents of inputs) and
the digests of the outputs. Where all of that still holds, the outputs are only given new times.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hepatoclr.base import files
from hepatoclr.base.errors import UserError

log = logging.getLogger(__name__)

MADE_FROM, OUTPUTS = "made_from", "sha256"


def made_from(inputs: Iterable[str | Path], **settings) -> str:
    """Digest all that outputs are made from.

    Args:
        inputs: Files, and folders of them, whose contents count; their names, places and times do
            not.
        **settings: What JSON can hold of settings, seeds and code.
    """
    text = json.dumps(settings, default=dict, sort_keys=True)
    digests = [files.sha256(path) for one in inputs for path in files.below(one)]
    return hashlib.sha256(f"{text} {digests}".encode()).hexdigest()


def record(key: str, outputs: Iterable[str | Path]) -> dict:
    """What metadata says of outputs, so that `unchanged` can compare: to be merged into it.

    Args:
        key: See `made_from`.
        outputs: Files that have been written.
    """
    return {MADE_FROM: key, OUTPUTS: {Path(path).name: files.sha256(path) for path in outputs}}


def unchanged(metadata: str | Path, key: str, outputs: Iterable[str | Path]) -> bool:
    """Say whether outputs are there, whole, and made from the same; if so, give them new times.

    Args:
        metadata: JSON file that holds what `record` gave; an output of the job too.
        key: What the job would make its outputs from, see `made_from`.
        outputs: The other outputs of the job.
    """
    outputs, known = list(outputs), _read(metadata)
    if known.get(MADE_FROM) != key or not all(Path(path).is_file() for path in outputs):
        return False
    if known.get(OUTPUTS) != record(key, outputs)[OUTPUTS]:
        return False
    log.info("nothing to do: contents of inputs, settings and code are those of the results here")
    for path in (*outputs, metadata):
        os.utime(path)
    return True


def _read(metadata: str | Path) -> Mapping:
    try:
        known = files.read_json(metadata)
    except (OSError, UserError):  # gone, or damaged
        return {}
    return known if isinstance(known, Mapping) else {}
