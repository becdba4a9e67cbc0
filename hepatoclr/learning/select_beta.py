"""The choice of beta inside the training folds: the nested counterpart of the best row of Table 2.

Each fold takes the encoder whose features did best, by logistic regression, in the inner
cross-validation of that fold's training patients. Its predictions of the test patients, by the
linear and the fine-tuning protocol, stand for weak-SimCLR with nothing chosen on them.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hepatoclr.learning import experiment
from hepatoclr.stats import predictions


def chosen(nested: Mapping[float, pd.DataFrame]) -> dict[int, float]:
    """Choose the beta of each fold.

    Args:
        nested: Beta to predictions with inner_auc, the same folds for all.

    Returns:
        Fold to the beta of the highest inner AUC, the smallest of equals; where no inner AUC is
        known, the smallest.
    """
    inner = pd.DataFrame(
        {beta: found.groupby("fold")["inner_auc"].first() for beta, found in nested.items()}
    )
    inner = inner[sorted(inner)].fillna(-1)
    return inner.idxmax(axis=1).to_dict()


def pick(tables: Mapping[float, pd.DataFrame], choice: Mapping[int, float]) -> pd.DataFrame:
    """Take each fold from the predictions of its chosen beta."""
    rows = [
        tables[beta][tables[beta]["fold"] == fold].assign(encoder=experiment.NESTED, beta=beta)
        for fold, beta in choice.items()
    ]
    return pd.concat(rows, ignore_index=True)


def run(
    nested: Mapping[float, str | Path],
    finetuned: Mapping[float, str | Path],
    nested_output: str | Path,
    finetuned_output: str | Path,
) -> None:
    """Choose, and write the predictions of the chosen encoders by both protocols.

    Args:
        nested: Beta to the file of its predictions by `linear_nested`.
        finetuned: Beta to the file of its predictions by `finetune`, of the same folds.
        nested_output, finetuned_output: Files to write.
    """
    by_beta = {beta: predictions.read_as_written(path) for beta, path in nested.items()}
    choice = chosen(by_beta)
    predictions.write([pick(by_beta, choice)], nested_output)
    tuned = {beta: predictions.read_as_written(path) for beta, path in finetuned.items()}
    predictions.write([pick(tuned, choice)], finetuned_output)
