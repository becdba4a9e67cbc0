"""Everything that can be wrong with cohorts and their manifests, listed before any job starts."""

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from hepatoclr.base import messages, names, settings, texts
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import covariates, id_checks, manifests
from hepatoclr.cohorts.manifests import (
    LISTS,
    NEGATIVE,
    PATHS,
    POSITIVE,
    UNLABELLED,
    Row,
    in_bucket,
    meaning,
)

OBJECT = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9.-]+(/(?!\.{1,2}(/|$))[^/?#]+)+")
VARIABLE = re.compile(r"[{}<>]")  # in paths a workflow takes what stands between them for one
WITHOUT_LABEL = {
    "evaluation": "whoever is tested needs a label: name such labels in labels.exclude",
    "external": "leave such labels empty in the manifest",
}
LONGEST = 100  # two of these, a separator and a suffix stay below the 255 bytes of a file name
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)


def read(
    path: str | Path, schema: Mapping, kinds: Mapping[str, str] | None = None, role: str = ""
) -> list[Row]:
    """Read a manifest.

    Args:
        path: The manifest.
        schema: Of a row, and what is known of covariates.
        kinds: Covariates to their kinds; the manifest for evaluation must have them.
        role: Of the cohort.

    Raises:
        UserError: The file cannot be read or its columns or values break the schema.
    """
    columns, records = manifests.columns_and_records(path)
    kinds, known = kinds or {}, schema["covariates"]
    schema = covariates.allowed(schema, kinds)
    wrong = settings.problems(dict.fromkeys(columns, "1"), schema)
    if role == "evaluation":
        wrong += covariates.missing(kinds, columns)
    wrong = wrong or [
        f"row {number}: {text}"
        for number, record in records.items()
        for text in (
            *_record_problems(record, schema),
            *covariates.problems(record, kinds, known),
        )
    ]
    if wrong:
        raise UserError(messages.listing(f"{path} has", wrong))
    return manifests.rows(records.items(), path)


def check_simulated(config: Mapping) -> None:
    """See that no cohort with a manifest stands beside simulated ones of its name or role.

    Raises:
        UserError: One does, as where the preset of a simulated study was kept.
    """
    cohorts = config["cohorts"]
    simulated = [name for name, cohort in cohorts.items() if "simulate" in cohort]
    evaluated = [name for name, cohort in cohorts.items() if cohort["role"] == "evaluation"]
    for name, cohort in cohorts.items():
        twice = name in simulated or (name in evaluated and set(evaluated) & set(simulated))
        if "manifest" in cohort and twice:
            raise UserError(
                f"cohorts.{name}: give either a manifest or simulate; the preset "
                f"{config['preset']} simulates cohorts ({', '.join(simulated)}): for those of your "
                "own start from preset: paper"
            )


def _check_storage(cohorts: Mapping[str, list[Row]]) -> None:
    """See that what lies in buckets can be fetched.

    Raises:
        UserError: A manifest names a bucket, and Snakemake's plugin for it is not installed.
    """
    rows = (row for rows in cohorts.values() for row in rows)
    named = any(in_bucket(path) for row in rows for path in (row.image, row.liver_mask))
    if named and not find_spec("snakemake_storage_plugin_s3"):
        raise UserError(
            "a manifest names files in a bucket, and the plugin that fetches them is not here; say "
            "make engines, and start the snakemake of .venv-engines (docs/engines.md)"
        )


def check(
    cohorts: Mapping[str, list[Row]], config: Mapping, known: Mapping[str, Mapping] | None = None
) -> None:
    """Check all cohorts together, before any job.

    Args:
        cohorts: The rows of each cohort.
        config: The complete configuration.
        known: Covariate to what is known of it.

    Raises:
        UserError: Everything that is wrong, one line each.
    """
    roles = _only_external if config["bundle"]["apply"] else _role_problems
    wrong = [*roles(config["cohorts"]), *_covariate_problems(config, known or {})]
    for name, rows in cohorts.items():
        lines = [
            *_series_problems(config["cohorts"][name]["series"]),
            *_row_problems(rows, config, name),
            *_class_problems(rows, config, name),
        ]
        wrong += [f"cohorts.{name}: {line}" for line in lines]
    wrong += id_checks.problems(cohorts, config["cohorts"])
    if wrong:
        raise UserError(messages.listing("the cohorts have", wrong))
    _check_storage(cohorts)


def _covariate_problems(config: Mapping, known: Mapping[str, Mapping]) -> Iterator[str]:
    yield from covariates.name_problems(config["covariates"], known)
    for name, cohort in config["cohorts"].items():
        if cohort["role"] == "evaluation" and "simulate" in cohort and config["covariates"]:
            yield f"covariates: cohort {name} is simulated and has none; leave the key out"


def _record_problems(record: Mapping, schema: Mapping) -> list[str]:
    return [*settings.problems(record, schema), *_text_problems(record)]


def _text_problems(values: Mapping[str, str]) -> Iterator[str]:
    for column, text in values.items():
        if column in PATHS:  # which no table shows, and no message, for they may hold names
            if messages.CONTROL.search(text):
                yield f"{column} {messages.HOLDS_CONTROL}"
        elif refused := texts.invalid_reason(text):
            yield f"{column} {text!r} {refused}"


def _role_problems(cohorts: Mapping) -> Iterator[str]:
    roles = Counter(cohort["role"] for cohort in cohorts.values())
    if roles["evaluation"] != 1:
        yield f"cohorts: exactly one must have the role evaluation, got {roles['evaluation']}"
    if not roles["pretraining"]:
        yield "cohorts: at least one must have the role pretraining, got none"
    elif all(_unlabelled(one) for one in cohorts.values() if one["role"] == "pretraining"):
        yield "cohorts: at least one for pretraining must have positive and negative labels"
    for name, cohort in cohorts.items():
        if ("manifest" in cohort) == ("simulate" in cohort):
            yield f"cohorts.{name}: give either a manifest or simulate"


def _only_external(cohorts: Mapping) -> Iterator[str]:
    for name, cohort in cohorts.items():
        if cohort["role"] != "external":
            yield f"cohorts.{name}: where bundle.apply predicts, the role is external"


def _unlabelled(cohort: Mapping) -> bool:
    """Say whether a cohort is meant to have no weak label at all."""
    labels = cohort["labels"]
    return bool(labels.get(UNLABELLED)) and not (labels[POSITIVE] or labels[NEGATIVE])


def invalid_id_reason(text: str) -> str | None:
    """Say why an id cannot be used, or None where it can."""
    if not text.strip():
        return "is empty"
    if refused := texts.invalid_reason(text):
        return refused
    if "/" in text or "\\" in text or text in (".", ".."):
        return "looks like a path"
    if DEVICES.fullmatch(text):
        return "is a reserved device name on some systems"
    if (length := len(names.encode(text))) > LONGEST:
        return f"is too long: its file name would take {length} bytes of at most {LONGEST}"
    return None


def _row_problems(rows: list[Row], config: Mapping, name: str) -> Iterator[str]:
    cohort = config["cohorts"][name]
    external, lists = cohort["role"] == "external", any(cohort["labels"].values())
    folders = _folders(cohort) if "simulate" not in cohort else []
    first: dict[str, int] = {}
    nowhere: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        for column, text in (("patient_id", row.patient_id), ("scan_id", row.scan_id)):
            reason = invalid_id_reason(text) if text or column == "patient_id" else None
            if reason:
                yield f"row {row.number}: {column} {text!r} {reason}"
        if row.case in first:
            hint = "" if row.scan_id else "; tell a patient's CTs apart by scan_id"
            yield (
                f"row {row.number}: patient_id {row.patient_id!r} scan_id {row.scan_id!r} "
                f"stands already in row {first[row.case]}{hint}"
            )
        first.setdefault(row.case, row.number)
        needed = row.label and lists if external else True
        if needed and not meaning(row.label, cohort["labels"]):
            nowhere[row.label].append(row.number)
        if "simulate" not in cohort:
            yield from _file_problems(row, folders, config["segment"]["backend"])
    for label, numbers in nowhere.items():
        more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
        hint = _alike(label, itertools.chain(*cohort["labels"].values()))
        if not label and cohort["role"] == "pretraining":
            hint = "; to use such cases without a weak label, name it in labels.unlabelled"
        yield (
            f"row {numbers[0]}{more}: label {label!r} stands in none of the lists of labels{hint}"
        )
    ids = {row.patient_id for row in rows}
    for patient in sorted(set(cohort["exclude"]) - ids):
        yield f"exclude: there is no patient {patient!r}{_alike(patient, ids)}"


def _alike(text: str, known: Iterable[str]) -> str:
    """Name what is written in another way, as 3 is 3.0, and f3 is F3."""
    found = sorted(one for one in known if names.normalised(one) == names.normalised(text))
    return f"; {found[0]!r} is alike" if text and found else ""


def _folders(cohort: Mapping) -> list[str]:
    """Where images and masks of a cohort may lie, links followed, each with a separator behind."""
    named = [Path(cohort.get("manifest", "")).parent, *cohort["folders"]]
    return [f"{_real(folder).rstrip('/')}/" for folder in named]


def _real(path: str | Path) -> str:
    """Where a path leads, links followed; in a bucket there are none."""
    return str(path) if in_bucket(str(path)) else os.path.realpath(path)


def _file_problems(row: Row, folders: Sequence[str], backend: str) -> Iterator[str]:
    if backend == "provided" and not row.liver_mask:
        yield f"row {row.number}: liver_mask is empty, but segment.backend is provided"
    for column in PATHS:  # the path itself is not said: it may hold a name
        path = getattr(row, column)
        if VARIABLE.search(path):
            yield f"row {row.number}: the path of {column} holds {{, }}, < or >; rename what does"
        elif in_bucket(path) and not OBJECT.fullmatch(path):
            yield f"row {row.number}: {column} must be s3://bucket/key, without ., .., ? or #"
        elif path and not f"{_real(path)}/".startswith(tuple(folders)):
            yield (
                f"row {row.number}: {column} does not lie below the manifest's folder; if it is "
                "meant to be read, name the folder that it lies in in the cohort's `folders`"
            )
        elif in_bucket(path):  # whether it is there Snakemake will see
            continue
        elif path and not os.path.exists(path):  # noqa: PTH110  a name may be too long for Path
            hint = messages.path_hint(path) or "the path counts from the manifest's folder"
            yield f"row {row.number}: {column} does not exist; {hint}"


def _series_problems(series: Mapping) -> Iterator[str]:
    for expression in series["description"]:
        try:
            re.compile(expression)
        except (re.error, OverflowError, RecursionError) as error:
            yield f"series.description: {expression!r} is no regular expression: {error}"


def _class_problems(rows: list[Row], config: Mapping, name: str) -> Iterator[str]:
    cohort = config["cohorts"][name]
    for label, count in Counter(
        label for side in LISTS for label in cohort["labels"].get(side, ())
    ).items():
        if count > 1:
            yield f"labels: {label!r} stands in the lists {count} times"
    if cohort["labels"].get(UNLABELLED) and cohort["role"] != "pretraining":
        yield (
            "labels.unlabelled is for pretraining only, and this cohort's role is "
            f"{cohort['role']}; {WITHOUT_LABEL[cohort['role']]}"
        )
    sides = defaultdict(set)
    for row in rows:
        if row.patient_id not in cohort["exclude"]:
            sides[meaning(row.label, cohort["labels"])].add(row.patient_id)
    for patient in sorted(sides[POSITIVE] & sides[NEGATIVE]):
        yield f"patient {patient!r} has positive and negative labels; one label per patient"
    if cohort["role"] == "external":
        return
    if cohort["role"] == "evaluation" and config["evaluation"]["scheme"] == "site":
        nowhere = sum(not row.site for row in rows)
        if nowhere:
            yield (
                f"evaluation.scheme is site, but {nowhere} of {len(rows)} rows name no site; fill "
                "in the column site, or take another scheme"
            )
    if cohort["role"] == "evaluation":
        yield from _fraction_problems(sum(len(sides[one]) for one in (POSITIVE, NEGATIVE)), config)
    if _unlabelled(cohort):
        return
    least = _folds(config["evaluation"]) if cohort["role"] == "evaluation" else 1
    for side in (POSITIVE, NEGATIVE):
        if len(sides[side]) < least:
            need = f"{least} folds need at least {least}" if least > 1 else "training needs both"
            yield f"the {side} class has too few patients, {len(sides[side])}; {need}"


def _fraction_problems(patients: int, config: Mapping) -> Iterator[str]:
    """Shares of the learning curve that are less than one training patient."""
    scheme, folds = config["evaluation"]["scheme"], config["evaluation"]["folds"]
    trained = patients * (folds - 1) // folds if scheme == "stratified" else patients - 1
    for fraction in config["experiment"]["fractions"]:
        if trained and fraction * trained < 1:
            yield (
                f"experiment.fractions: {fraction} of {trained} training patients is none; the "
                f"least is {1 / trained:.4f}"
            )


def _folds(evaluation: Mapping) -> int:
    """The least number of folds that the patients of a class are split into."""
    return evaluation["folds"] if evaluation["scheme"] == "stratified" else 2
