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
    "weak_simclr-nested": 1.6,
}
PLAIN = [encoder for encoder in SIGNAL if not encoder.endswith("nested")]


def job(protocol, encoder, fraction=1.0, repeat=1, seed=1, patients=100, folds=5, by_slice=False):
    """The predictions of one evaluation job, as a job writes them.

    Patients differ from each other in the same way in all jobs (half of the variance of their
    scores), so that methods and repeats agree on who is difficult.
    """
    own = [repeat, *map(ord, protocol + encoder), int(100 * fraction), seed - 1]
    rng, number = np.random.default_rng(own), np.arange(patients)
    difficulty = np.random.default_rng(patients).normal(size=patients)
    label = (number // folds % 5 < 3).astype(int)
    score = (label - 0.5) * SIGNAL[encoder] * fraction
    score = score + np.sqrt(0.5) * (difficulty + rng.normal(size=patients))
    deal = np.random.default_rng(repeat).permutation(folds) if repeat > 1 else np.arange(folds)
    table = pd.DataFrame(
        {
            "protocol": protocol,
            "encoder": encoder,
            "fraction": fraction,
            "seed": seed,
            "repeat": repeat,
            # Repeats deal the patients anew, each block of equal labels over all folds.
            "fold": deal[(number + number // folds * (repeat - 1)) % folds] + 1,
            "patient_id": [f"{k + 12:04d}" for k in number],
            "label": label,
            "probability": 1 / (1 + np.exp(-score)),
            "slices": rng.integers(8, 30, patients),
        }
    )
    if by_slice:
        several = [score[k] + rng.normal(size=n) for k, n in enumerate(table["slices"])]
        slices = [np.round(1 / (1 + np.exp(-values)), 4) for values in several]
        table["by_slice"] = [" ".join(f"{p:.4f}" for p in values) for values in slices]
        table["probability"] = [float(values.mean()) for values in slices]
    fold = table["fold"].to_numpy()
    table["threshold"] = np.array([0.45, 0.5, 0.6, 0.55, 0.5, 0.4])[fold % 6]
    if protocol == "linear_nested" or encoder.endswith("nested"):
        table["C"] = np.array([0.01, 0.1, 1, 0.1, 0.1, 1])[fold % 6]
        table["inner_auc"] = 0.8
    if encoder.endswith("nested"):
        table["beta"] = np.array([0.2, 0.5, 0.5, 0, 0.5, 0.2])[fold % 6]
    return table


def predictions(**settings):
    """All jobs of a run: every encoder by both protocols, and the learning curve."""
    jobs = [job(p, e, **settings) for p in ("linear", "finetune") for e in PLAIN]
    curve = [job("finetune", "none", fraction, **settings) for fraction in (0.4, 0.6, 0.8)]
    return pd.concat([*jobs, *curve], ignore_index=True)


def complete(repeats=2, seeds=(1,), **settings):
    """A run with all that it can have: repeats, seeds, nested choices, slices."""
    jobs = [
        predictions(repeat=repeat, seed=seed, by_slice=True, **settings)
        for repeat in range(1, repeats + 1)
        for seed in seeds
    ]
    jobs += [
        job(protocol, encoder, repeat=repeat, seed=seed, by_slice=True, **settings)
        for repeat in range(1, repeats + 1)
        for seed in seeds
        for protocol, encoders in (
            ("linear_nested", SIGNAL),
            ("finetune", ["weak_simclr-nested"]),
        )
        for encoder in encoders
    ]
    return pd.concat(jobs, ignore_index=True)
