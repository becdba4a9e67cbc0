"""A made-up predictions table: seeded scores of 100 patients by every encoder of the paper."""

import numpy as np
import pandas as pd

METHODS = {
    "none": "none",
    "supervised": "supervised",
    "simclr": "simclr",
    "supcon": "supcon",
    "weak_simclr": "weak_simclr-0.5",
}
BETAS = {0.0: "simclr", 0.2: "weak_simclr-0.2", 0.5: "weak_simclr-0.5", 1.0: "supervised"}
# How far apart the classes score, in standard deviations of the score within a class.
SIGNAL = {
    "none": 0.7,
    "supervised": 0.9,
    "simclr": 1.3,
    "supcon": 0.5,
    "weak_simclr-0.2": 1.2,
    "weak_simclr-0.5": 2.0,
}


def job(protocol, encoder, fraction=1.0, repeat=1, seed=0, patients=100, folds=5):
    """The predictions of one evaluation job, as a job writes them."""
    rng = np.random.default_rng([seed, repeat, *map(ord, protocol + encoder), int(100 * fraction)])
    number = np.arange(patients)
    label = (number // folds % 5 < 3).astype(int)
    score = (label - 0.5) * SIGNAL[encoder] * fraction + rng.normal(size=patients)
    return pd.DataFrame(
        {
            "protocol": protocol,
            "encoder": encoder,
            "fraction": fraction,
            "repeat": repeat,
            "fold": number % folds + 1,
            "patient_id": [f"{k + 12:04d}" for k in number],
            "label": label,
            "probability": 1 / (1 + np.exp(-score)),
            "threshold": 0.5,
            "slices": rng.integers(8, 30, patients),
        }
    )


def predictions(**settings):
    """All jobs of a run: every encoder by both protocols, and the learning curve."""
    jobs = [job(p, e, **settings) for p in ("linear", "finetune") for e in SIGNAL]
    curve = [job("finetune", "none", fraction, **settings) for fraction in (0.4, 0.6, 0.8)]
    return pd.concat([*jobs, *curve], ignore_index=True)
