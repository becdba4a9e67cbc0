"""The one table of the study: a row per encoder, protocol, training seed and repeat of a cell."""

import fcntl
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import common
from benchmarks.positive_control import cells
from hepatoclr.base import files

PATH = common.RESULTS / "positive_control.csv"
PROBES = common.RESULTS / "positive_control_probes.csv"
# Of each row: AUC within folds, averaged, and its DeLong variance; loss of the last epoch and that
# of chance; AUC and share of positives of the pretraining labels; costs of the whole cell.
COLUMNS = (
    *cells.KEY,
    *("auc", "variance", "positive", "negative", "loss", "chance"),
    *("reader_auc", "reader_positive", "seconds", "core_seconds", "settings", "code"),
)
TEXT = dict.fromkeys(("noise", "encoder", "protocol", "settings", "code"), "str")
PROBE_KEY = ["data_seed", "encoder", "training_seed", "target"]
PROBE_COLUMNS = (*PROBE_KEY, "measure", "value", "patients")


def read(path: Path = PATH) -> pd.DataFrame:
    """Read the table; it is empty where nothing was run."""
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS)).astype(TEXT)
    numbers = dict.fromkeys(set(COLUMNS) - set(TEXT), "")  # an encoder may be called none
    return files.read_csv(path, dtype=TEXT, keep_default_na=False, na_values=numbers)


def read_probes(path: Path = PROBES) -> pd.DataFrame:
    """Read the table of probes; it is empty where nothing was run."""
    if not path.exists():
        return pd.DataFrame(columns=list(PROBE_COLUMNS))
    return files.read_csv(path, dtype={"encoder": "str", "target": "str", "measure": "str"})


def add(rows: pd.DataFrame, path: Path, key: Sequence[str]) -> pd.DataFrame:
    """Put rows into a table, in place of those with the same key, and write it atomically.

    Cells that end at once, in threads or processes, wait for each other.

    Args:
        rows: With all columns.
        path: The table; it may not be there yet.
        key: Columns that tell rows apart.

    Returns:
        The whole table, sorted by the key: the order in which cells ran does not show.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.parent / f".{path.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read(path) if list(key) == cells.KEY else read_probes(path)
        parts = [part for part in (before, rows[list(before)]) if len(part)]
        whole = pd.concat(parts, ignore_index=True).drop_duplicates(list(key), keep="last")
        whole = whole.sort_values(list(key), ignore_index=True)
        files.write_csv(whole, path)
    return whole
