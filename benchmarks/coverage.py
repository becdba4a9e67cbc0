"""How often intervals hold the truth and tests find what is not there, in simulated studies.

    python -m benchmarks.coverage [--runs 8000]

Each study has the paper's 78 positive and 28 negative patients. Prints the tables of
docs/statistics.md; 8,000 runs take about 8 minutes on one core.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from hepatoclr.stats import comparison_tests, permutation

LABELS = np.repeat([1, 0], [78, 28])
TRUTHS = ((0.84, 0.77), (0.7, 0.7))
DRAWS = 1000


def binormal(
    rng: np.random.Generator, aucs: Sequence[float], labels: np.ndarray = LABELS
) -> np.ndarray:
    """One evaluation of models of these true AUCs: shape (models, 1, patients).

    Scores are normal with sd 1 in both classes, correlated 0.5 between models; the classes lie
    sqrt(2) * ndtri(auc) apart.
    """
    own, shared = rng.normal(size=(len(aucs), len(labels))), rng.normal(size=len(labels))
    noise = (own + shared) / np.sqrt(2)
    return (noise + labels * np.sqrt(2) * ndtri(np.array(aucs))[:, None])[:, None]


def random_folds(
    rng: np.random.Generator, labels: np.ndarray, folds: int, repeats: int
) -> np.ndarray:
    """Stratified folds: shape (repeats, patients)."""
    splits = np.empty((repeats, len(labels)), int)
    for split in splits:
        for label in (0, 1):
            patients = rng.permutation(np.flatnonzero(labels == label))
            split[patients] = np.arange(len(patients)) % folds
    return splits


def fixed(truths: Sequence[float], runs: int, seed: int) -> dict[str, float]:
    """Coverage of 95 % intervals of two models whose scores do not depend on training."""
    rng, held = np.random.default_rng(seed), defaultdict(list)
    weights = [comparison_tests.stratified_bootstrap(LABELS, DRAWS, draw) for draw in range(20)]
    for run in range(runs):
        for name, (low, high), truth in _intervals(rng, truths, weights[run % 20]):
            held[name].append(low <= truth <= high)
    return {name: float(np.mean(each)) for name, each in held.items()}


def _intervals(
    rng: np.random.Generator, truths: Sequence[float], weights: np.ndarray
) -> Iterator[tuple]:
    """Of one study: name, interval, truth."""
    scores = binormal(rng, truths)
    once, often = random_folds(rng, LABELS, 5, 1), random_folds(rng, LABELS, 5, 10)
    for name, folds in (("pooled", None), ("5 folds", once), ("10 x 5 folds", often)):
        again = scores if folds is None else np.repeat(scores, len(folds), axis=1)
        aucs, covariance = comparison_tests.delong(LABELS, again, folds)
        draws = comparison_tests.fold_auc(LABELS, again, folds, weights)
        for method, matrix in (("formula", covariance), ("bootstrap", np.cov(draws.T))):
            found = comparison_tests.auc_interval(aucs[0], matrix[0, 0])
            yield f"AUC, {name}, {method}", found, truths[0]
            variance = comparison_tests.variance_of_difference(matrix, 0, 1)
            found = comparison_tests.difference_interval(aucs[0] - aucs[1], variance)
            yield f"difference of AUC, {name}, {method}", found, truths[0] - truths[1]

    # Called halfway between the classes, sensitivity and specificity are the same.
    halfway = ndtri(truths[0]) / np.sqrt(2)
    right = (scores[:1] > halfway) == (LABELS == 1)
    of_class = [np.where(label == LABELS, right, np.nan) for label in (0, 1)]
    for name, folds in (("pooled", None), ("5 folds", once)):
        estimate = np.mean([comparison_tests.fold_mean(values, folds) for values in of_class])
        draws = np.mean(
            [comparison_tests.fold_mean(each, folds, weights) for each in of_class], axis=0
        )
        found = comparison_tests.auc_interval(estimate, draws.var())
        yield f"balanced accuracy, {name}, bootstrap", found, ndtr(halfway)


def trained(repeats: int, runs: int, seed: int) -> dict[str, float]:
    """Two methods equally good on average, trained anew in each fold of each study.

    Each method has 20 normal features, correlated 0.6 with the other method's, and is a ridge
    discriminant; their true AUC is about 0.81, with an sd of 0.02 between training sets.

    Returns:
        Coverage of the mean true AUC, and how often tests at 5 % find a difference.
    """
    rng, truths, found = np.random.default_rng(seed), [], defaultdict(list)
    means = np.full(20, 1.6 / np.sqrt(20))
    for run in range(runs):
        noise = rng.normal(size=(2, len(LABELS), 20))
        noise[1] = 0.6 * noise[0] + 0.8 * noise[1]
        features, folds = noise + LABELS[:, None] * means, random_folds(rng, LABELS, 5, repeats)
        scores, within = np.empty((2, repeats, len(LABELS))), []
        for repeat, fold in np.ndindex(repeats, 5):
            tested = folds[repeat] == fold
            for model in range(2):
                axis = _discriminant(features[model][~tested], LABELS[~tested])
                scores[model, repeat, tested] = features[model][tested] @ axis
                truths.append(ndtr(axis @ means / np.linalg.norm(axis) / np.sqrt(2)))
            within.append(
                comparison_tests.fold_auc(LABELS[tested], scores[:, [repeat]][:, :, tested])
            )
        aucs, covariance = comparison_tests.delong(LABELS, scores, folds)
        found["interval"].append(comparison_tests.auc_interval(aucs[0], covariance[0, 0]))
        found["DeLong"].append(comparison_tests.delong_test(aucs, covariance, 0, 1))
        found["permutation"].append(permutation.permutation(LABELS, *scores, 500, run, folds))
        found["corrected t"].append(
            comparison_tests.nadeau_bengio(-np.diff(within).ravel(), 0.2)[1]
        )
    low, high = np.transpose(found.pop("interval"))
    covered = float(np.mean((low <= np.mean(truths)) & (np.mean(truths) <= high)))
    return {"interval": covered} | {
        name: float(np.mean(np.array(p) < 0.05)) for name, p in found.items()
    }


def _discriminant(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Direction of a linear discriminant with a small ridge."""
    means = [features[labels == label].mean(axis=0) for label in (0, 1)]
    rest = features - np.array(means)[labels]
    within = rest.T @ rest / (len(rest) - 2) + 0.3 * np.eye(features.shape[1])
    return np.linalg.solve(within, means[1] - means[0])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8000)
    runs = parser.parse_args().runs
    first, second = (fixed(truths, runs, seed=2) for truths in TRUTHS)
    print("| interval | true AUC 0.84 (other 0.77) | true AUC 0.70 (other 0.70) |\n|---|---|---|")
    for name in first:
        print(f"| {name} | {first[name]:.1%} | {second[name]:.1%} |")
    once, often = trained(1, runs // 4, seed=2), trained(10, runs // 4, seed=2)
    print("\n| methods trained in each fold | 5 folds | 10 x 5 folds |\n|---|---|---|")
    for name in once:
        print(f"| {name} | {once[name]:.1%} | {often[name]:.1%} |")


if __name__ == "__main__":
    main()
