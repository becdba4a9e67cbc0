"""Scores of models whose true AUC is known."""

import numpy as np
from scipy.special import ndtri

POSITIVE, NEGATIVE = 78, 28
LABELS = np.repeat([1, 0], [POSITIVE, NEGATIVE])


def binormal(
    rng: np.random.Generator, aucs: list[float], labels: np.ndarray = LABELS, shared: float = 0.5
) -> np.ndarray:
    """One evaluation of models with these true AUCs: shape (models, 1, patients).

    Scores are normal with sd 1 in both classes, their correlation between models is `shared`;
    the classes lie sqrt(2) * ndtri(auc) apart.
    """
    own = rng.normal(size=(len(aucs), len(labels)))
    noise = np.sqrt(shared) * rng.normal(size=len(labels)) + np.sqrt(1 - shared) * own
    return (noise + labels * np.sqrt(2) * ndtri(aucs)[:, None])[:, None]


def dealt(rng: np.random.Generator, labels: np.ndarray, folds: int, repeats: int) -> np.ndarray:
    """Stratified folds: shape (repeats, patients)."""
    splits = np.empty((repeats, len(labels)), int)
    for split in splits:
        for label in (0, 1):
            patients = rng.permutation(np.flatnonzero(labels == label))
            split[patients] = np.arange(len(patients)) % folds
    return splits
