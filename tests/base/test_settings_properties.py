"""Every key with values of every type and edge: refused by its name, or usable as it says.

A value is written in `config.yaml` and on the command line. What is accepted has the schema's
type, is finite, means what was written, and is the same when it is written again; of such values
Snakemake plans a run.
"""

import contextlib
import json
import math
import multiprocessing
import random
import re
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import yaml
from snakemake.cli import main, parse_config
from tiny_project import Project

from hepatoclr.base import settings
from hepatoclr.base.errors import UserError

ROOT = Path(__file__).parents[2]
SCHEMA = settings.read(ROOT / "rules/config.schema.yaml")
KEYS = {key.replace("<name>", "c"): part for key, part in settings.keys(SCHEMA).items()}
KEYS = {key: part for key, part in KEYS.items() if key != "preset"}
BASE = {"role": "pretraining", "simulate": {"patients": 5, "reader": "histology"}}
BASE = {"preset": "paper", "cohorts": {"c": BASE}}
TYPED = ["seed", "run", "device", "trainings_per_job"]  # by Snakemake, on its command line
TEXTS = """
    ~|''|nan|.nan|-.inf|inf|Infinity|1e999|-1|-0|-0.0|0|1|2|5|16|200.0|2e2|1E+2|+3|3.|.5|0.5|1.5|1e-4
    '0,5'|010|0012|00|0x10|0o10|0b1|1_000|1:30|190:20:30|true|True|no|on|OFF|y|null|12|12.0|1e-320
    4294967295|4294967296|18446744073709551616|-2147483649|1.0e+300|!!float 1|!!int 3|!!str 3
    text|2024-01-01|٣|１|--1|1e|1e5.0|0.1.2|~/x|$HOME/x|"a\\tb"|[]|{}|[1]|[1, 2]|[.nan, 1]|[[1]]
    [0, 0]|[1.0, 2.0]|[010]|[no, 'no', 3, 3.0]|[true]|[null]|{a: 1}|{a: .nan}|[0.1, 1e999]
"""
VALUES = [*re.split(r"[|\n]\s*", TEXTS.strip()), "9" * 400, "1" * 5000, "[" + "9" * 320 + ", 1]"]


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """A folder with a preset that says nothing."""
    folder = tmp_path_factory.mktemp("presets")
    (folder / "paper.yaml").touch()
    return folder


def nested(key, value):
    """A flow mapping in YAML of a dotted key."""
    for name in reversed(key.split(".")):
        value = f"{{{name}: {value}}}"
    return value


def at(config, key):
    for name in key.split("."):
        config = config[name]
    return config


def wrong(value, schema):
    """Say whether a value is not what its schema says: its type exactly, finite, at every depth."""
    if "enum" in schema:
        return (type(value), value) not in [(type(one), one) for one in schema["enum"]]
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties") or {}
        inside = any(wrong(item, known.get(key, other)) for key, item in value.items())
        return inside or schema.get("type", "object") != "object"
    if isinstance(value, list):
        inside = any(wrong(item, schema.get("items", {})) for item in value)
        return inside or schema.get("type", "array") != "array"
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1e300:
        return True
    types = {"integer": (int,), "number": (int, float), "string": (str,), "boolean": (bool,)}
    wanted = types.get(schema.get("type"), (int, float, str, bool, type(None)))
    return type(value) not in wanted or value != value


def means(text, value):
    """Say whether a number is that which was written, as far as Python reads it so."""
    try:
        return math.isclose(float(text), value)
    except ValueError:
        return True


def outcome(chosen, presets):
    """The settings in force, or what is said of those that are refused."""
    try:
        return settings.resolve(settings.merge(BASE, chosen()), SCHEMA, presets)
    except UserError as error:
        return str(error)


@pytest.mark.parametrize(
    ("key", "typed"), [*((key, False) for key in KEYS), *((key, True) for key in TYPED)]
)
def test_a_value_is_refused_by_its_key_or_usable(key, typed, presets, tmp_path):
    path, part, found = tmp_path / "config.yaml", KEYS[key], {}
    usual = [one for one in (*part.get("enum", []), part.get("default")) if one is not None]
    for text in [*VALUES, *map(json.dumps, usual)]:
        path.write_text(nested(key, text))
        read = partial(settings.read, path, settings.AsWritten)
        got = outcome(partial(parse_config, [f"{key}={text}"]) if typed else read, presets)
        if isinstance(got, str):
            assert key in got or "cannot be read as YAML" in got, text
            continue
        value = at(got, key)
        assert not wrong(value, part), (text, value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert means(text, value), (text, value)
        found[repr(value)] = got
    assert found or "default" not in part
    for number, config in enumerate(list(found.values())[:10]):
        path.write_text((json.dumps, yaml.safe_dump)[number % 2](config))
        assert outcome(read, presets) == config


# --- what is accepted is planned ---

KEPT = (  # of the preset: others need sites, larger slices or more patients, or plan for long
    *("evaluation.scheme", "network.padding", "simulate.seed", "simulate.confusion"),
    *("evaluation.folds", "evaluation.repeats"),
)
PLANNED = {
    key: part
    for key, part in KEYS.items()
    if not key.startswith("cohorts.") and key not in KEPT
    if part.get("type") in ("integer", "number") or "enum" in part
}


def written(parts, seed):
    """A value of each key: the least, the largest, the default with a point, or any usable."""
    draw = random.Random(seed)
    for key, part in parts.items():
        least = part.get("minimum", max(part.get("exclusiveMinimum", 0), 1e-5))
        ends = {"least": least, "most": part.get("maximum", 1e9), "whole": f"{part['default']}.0"}
        usable = [text for text in VALUES if is_usable(text, part)] or part.get("enum")
        is_whole = part.get("type") == "integer" and "enum" not in part
        end = seed in ends and "enum" not in part and (seed != "whole" or is_whole)
        yield key, ends[seed] if end else draw.choice(part.get("enum", usable))


def is_usable(text, part):
    value = settings.typed(yaml.load(text, settings.AsWritten), part)
    return not settings.problems(value, part) and not wrong(value, part)


def planned(folder, seed):
    """What Snakemake says of a plan with a value of each key."""
    config = {"preset": "tiny", "on_bad_case": "exclude"}
    for key, value in written(PLANNED, seed):
        config = settings.merge(config, yaml.load(nested(key, value), settings.AsWritten))
    config["preset"] = "tiny"
    place = folder / str(seed)
    place.mkdir()
    Project(place)
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    printed = place / "printed"
    with (
        open(printed, "w") as file,
        contextlib.chdir(place),
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        contextlib.suppress(SystemExit),
    ):
        main(["-n", "--cores", "2", "--quiet", "rules"])
    return printed.read_text()


def test_usable_values_are_planned(tmp_path):
    seeds = ["least", "most", "whole", 0]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["snakemake.cli", "pandas", "jsonschema"])  # half of a plan
    with ProcessPoolExecutor(2, context, max_tasks_per_child=1) as pool:
        said = dict(zip(seeds, pool.map(partial(planned, tmp_path), seeds), strict=True))
    assert {seed: text for seed, text in said.items() if "was a dry-run" not in text} == {}
