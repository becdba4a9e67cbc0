"""What the final models share: whom they are fitted on, and what they leave of a cohort."""

import pandas as pd

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table
from hepatoclr.stats import predictions

WHOLE = 0  # in place of a fold: nobody is held out


def counted(people: pd.DataFrame) -> dict[str, int]:
    """Count the patients that a model was fitted on."""
    return {"patients": len(people), "positive": int(people["target"].sum())}


def write(
    found: pd.DataFrame, protocol: str, encoder: str, seed: int, cohort: str, output: str
) -> None:
    """Write predictions of an external cohort, with labels where there are, and flags of cases."""
    used = cohort_table.read(cohort).query("included")
    labels = cohort_table.targets(used)
    flagged = used[used["flags"] != ""].groupby("patient_id")["flags"].agg(_joined)
    facts = {"protocol": protocol, "encoder": encoder, "fraction": 1.0, "seed": seed}
    found = found.assign(**facts, repeat=1, fold=1)
    found["label"] = labels.reindex(found["patient_id"]).to_numpy()
    found["flags"] = flagged.reindex(found["patient_id"]).fillna("").to_numpy()
    columns = (*predictions.COLUMNS, "flags")
    files.write_csv(found[[name for name in columns if name in found]], output)


def _joined(flags: pd.Series) -> str:
    """The flags of a patient's cases, each once."""
    return "; ".join(dict.fromkeys("; ".join(flags).split("; ")))
