import numpy as np
import pandas as pd

from hepatoclr.learning import experiment, select_beta
from hepatoclr.stats import predictions


def table(protocol, encoder, probability, inner=(0.6, 0.7)):
    frame = pd.DataFrame(
        {
            **{"protocol": protocol, "encoder": encoder, "fraction": 1.0, "seed": 1, "repeat": 1},
            **{"fold": [1, 1, 2, 2], "patient_id": ["01", "02", "03", "04"]},
            **{"label": [0, 1, 0, 1], "probability": probability, "threshold": 0.5, "slices": 3},
        }
    )
    return frame.assign(inner_auc=np.repeat(inner, 2)) if protocol == "linear_nested" else frame


def test_each_fold_takes_the_beta_of_the_highest_inner_auc_the_smallest_of_equals():
    nested = {
        1.0: table("linear_nested", "supervised", 0.1, (0.8, 0.7)),
        0.5: table("linear_nested", "weak_simclr-0.5", 0.2, (0.9, 0.5)),
        0.0: table("linear_nested", "simclr", 0.3, (0.6, 0.7)),
    }
    assert select_beta.chosen(nested) == {1: 0.5, 2: 0.0}
    unknown = {b: found.assign(inner_auc=np.nan) for b, found in nested.items()}
    assert select_beta.chosen(unknown) == {1: 0.0, 2: 0.0}


def test_predictions_come_from_the_chosen_encoders(tmp_path):
    files = {}
    for protocol in ("linear_nested", "finetune"):
        for b, encoder, probability, inner in (
            (0.0, "simclr", 0.3, (0.6, 0.7)),
            (0.5, "weak_simclr-0.5", 0.2, (0.9, 0.5)),
        ):
            files[protocol, b] = tmp_path / f"{protocol}-{encoder}.csv"
            predictions.write([table(protocol, encoder, probability, inner)], files[protocol, b])
    outputs = tmp_path / "nested.csv", tmp_path / "finetuned.csv"
    select_beta.run(
        {b: files["linear_nested", b] for b in (0.0, 0.5)},
        {b: files["finetune", b] for b in (0.0, 0.5)},
        *outputs,
    )
    for path, protocol in zip(outputs, ("linear_nested", "finetune"), strict=True):
        found = predictions.read_as_written(path)
        assert found["patient_id"].tolist() == ["01", "02", "03", "04"]
        assert found["probability"].tolist() == [0.2, 0.2, 0.3, 0.3]
        assert found["beta"].tolist() == [0.5, 0.5, 0.0, 0.0]
        assert set(found["encoder"]) == {experiment.NESTED}
        assert set(found["protocol"]) == {protocol}
