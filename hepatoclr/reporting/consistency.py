"""Whether the encoders and predictions of a run were trained with one configuration.

Snakemake plans what changed settings make anew. This looks at what is there: a table that mixes
trainings of different settings would compare them as if only their methods differed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hepatoclr.base import files
from hepatoclr.base.errors import UserError

SECTIONS = ("network", "augmentation", "pretraining", "finetune")
SHOWN = 5  # differences that the message lists


def check(metadata: Iterable[str | Path], config: Mapping) -> None:
    """Refuse trainings whose recorded settings are not those in force.

    Compared are the window, and of `SECTIONS` the keys that both have: a record without `settings`
    or without a key, as an older version wrote it, is taken for right.

    Args:
        metadata: The JSON files that pretraining and fine-tuning write, with `settings`.
        config: The configuration in force.

    Raises:
        UserError: Some differ; with the file, the key and both values of the first ones.
    """
    in_force = {name: config[name] for name in SECTIONS if name in config}
    in_force["window"] = config["tensors"]["window"]
    in_force = json.loads(json.dumps(in_force))  # lists, not tuples, as in the files
    found = [
        f"{path}: {key} was {then!r}, {now!r} is in force"
        for path in metadata
        for key, then, now in differences(files.read_json(path).get("settings", {}), in_force)
    ]
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        listed = "\n".join(f"- {line}" for line in [*found[:SHOWN], *more])
        raise UserError(
            f"trained with other settings than those in force:\n{listed}\nRemove these files "
            "and run the same command again, which trains anew what they belong to."
        )


def differences(
    recorded: Mapping, in_force: Mapping, prefix: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Give each key, dotted, that both have with different values: key, recorded, in force."""
    for key in sorted(recorded.keys() & in_force.keys()):
        then, now = recorded[key], in_force[key]
        if isinstance(then, Mapping) and isinstance(now, Mapping):
            yield from differences(then, now, f"{prefix}{key}.")
        elif then != now:
            yield f"{prefix}{key}", then, now
