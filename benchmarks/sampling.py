"""What the batches of the paper's pretraining cohort hold, by the way of sampling.

    python -m benchmarks.sampling

2,799 patients of 54 slices each, 919 of them positive; 10,000 batches of 92. Prints the table of
docs/reproduction.md.
"""

import numpy as np

from hepatoclr.learning.data import Sampler

PATIENTS, POSITIVE, SLICES, BATCH, BATCHES = 2799, 919, 54, 92, 10_000
KINDS = ("weighted", "uniform", "patients")
HEAD = ("| `sampling` | different patients in a batch | positive draws |", "|---|---|---|")


def table() -> str:
    """A row for each way, in Markdown."""
    patient = np.repeat(np.arange(PATIENTS), SLICES)
    target = (patient < POSITIVE).astype(int)
    draws = (Sampler(patient, target, kind, BATCHES * BATCH, seed=1) for kind in KINDS)
    found = {each.kind: each.mix(BATCH) for each in draws}
    rows = [
        f"| `{kind}` | {mix['patients_per_batch']:.1f} | {100 * mix['positive_share']:.1f} % |"
        for kind, mix in found.items()
    ]
    return "\n".join([*HEAD, *rows])


if __name__ == "__main__":
    print(table())
