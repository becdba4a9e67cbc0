import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from hepatoclr.base import settings
from hepatoclr.base.errors import UserError
from hepatoclr.reporting import documentation

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "presets"
SCHEMA = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())
COHORTS = {"cohorts": {"histo": {"role": "evaluation", "manifest": "histo.csv"}}}


def resolve(**chosen):
    return settings.resolve({**COHORTS, **chosen}, SCHEMA, PRESETS)


def test_layers_go_before_each_other():
    config = resolve(preset="tiny", slices={"by": "area"})
    assert config["slices"] == {"fraction": 0.7, "by": "area"}  # default, chosen
    assert config["evaluation"]["folds"] == 2  # preset
    assert resolve(preset="tiny", evaluation={"folds": 3})["evaluation"]["folds"] == 3


def test_the_paper_preset_writes_out_every_default():
    defaults = settings.with_defaults({}, SCHEMA)
    paper = yaml.safe_load((PRESETS / "paper.yaml").read_text())
    del defaults["preset"]
    assert paper == {**defaults, "run": "paper"}


def test_a_cohort_has_the_keys_of_checks_that_it_is_given_and_no_others():
    def own(checks):
        return resolve(
            cohorts={"other": {"role": "external", "checks": checks}, **COHORTS["cohorts"]}
        )

    found = own({"liver_ml": ["1", "2"]})["cohorts"]
    assert found["other"]["checks"] == {"liver_ml": [1, 2]}
    assert "checks" not in found["histo"]
    for wrong in ({"liver": [1, 2]}, {"exclude": ["trunkated"]}, {"liver_ml": [2, 1]}):
        with pytest.raises(UserError, match=r"cohorts\.other\.checks"):
            own(wrong)


@pytest.mark.parametrize("preset", ["demo", "tiny", "positive-control"])
def test_presets_are_complete_configurations(preset):
    assert settings.resolve({"preset": preset}, SCHEMA, PRESETS)["run"] == preset


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"slises": {}}, "slises: unknown key; did you mean 'slices'?"),
        ({"slices": {"fractoin": 1}}, "slices.fractoin: unknown key; did you mean 'fraction'?"),
        ({"slices": {"fraction": 70}}, "slices.fraction: 70 is greater than the maximum of 1"),
        ({"slices": {"by": "aera"}}, "slices.by: must be one of extent, area, got 'aera'; did you"),
        ({"preset": "papr"}, "did you mean 'paper'?"),
        ({"pretraining": {"learning_rate": "fast"}}, "learning_rate: must be a number, got 'fast'"),
        ({"cohorts": {"x": {}}}, "cohorts.x: 'role' is missing"),
        ({"cohorts": {"../x": {"role": "external"}}}, "'../x' does not"),
        ({"run": "../x"}, "run: '../x' does not fit the pattern"),
        ({"tensors": {"window": [400, -100]}}, "tensors.window: [400, -100] must ascend"),
        ({"tensors": {"window": [9, 9]}}, "tensors.window: [9, 9] has non-unique elements"),
        ({"augmentation": {"crop_scale": [0.7, 0.6]}}, "crop_scale: [0.7, 0.6] must ascend"),
        ({"augmentation": {"crop_scale": 0.8}}, "crop_scale: is a range now: write two shares"),
        ({"tensors": {"window": 400}}, "tensors.window: must be an array, got 400"),
        ({"tensors": {"window": ["x", 1]}}, "tensors.window.0: must be an integer, got 'x'"),
        ({"checks": {"exclude": ["trunkated"]}}, "'trunkated'; did you mean 'truncated'?"),
        ({"seed": -1}, "seed: -1 is less than the minimum of 0"),
        ({"seed": 2**32}, "seed: 4294967296 is greater than the maximum"),
        ({"seed": True}, "seed: must be an integer, got True"),
        ({"seed": None}, "seed: is empty; give it a value, or remove the key"),
        ({"seed": "1.5"}, "seed: must be an integer, got 1.5; it must be whole"),
        ({"seed": "0012"}, "got '0012'; write it in decimal digits, the first of them not 0"),
        ({"seed": "1_000"}, "got '1_000'; write it in decimal digits"),
        ({"seed": "1:30"}, "got '1:30'; write it in decimal digits"),
        ({"slices": {"fraction": "0,5"}}, "write a decimal point, 0.5 and not 0,5"),
        (
            {"slices": {"by:area": None}},
            "slices.by:area: unknown key; a space must follow",
        ),
        ({"slices": "by:area"}, "slices: must be an object, got 'by:area'; a space must follow"),
        ({"slices": {"fraction": "0", "5": None}}, "slices.5: unknown key; has a comma for its"),
        ({"slices": {"fraction": float("nan")}}, "slices.fraction: nan is no number"),
        ({"experiment": {"betas": [0, "inf"]}}, "betas.1: must be a number, got 'inf'; it must be"),
        ({"linear": {"nested_C": [1, 10**400]}}, "linear.nested_C.1: 1000"),
        ({"augmentation": {"kornia": {"RandomShear": {"p": float("inf")}}}}, "RandomShear.p: inf"),
        ({"trainer": {"limit_train_batches": "1.5"}}, "1.5 must be a share up to 1, or a count"),
        ({"run": 1.5}, "run: must be a string, got 1.5; put it in quotation marks"),
        ({"preset": "tiny", "simulate": {"confusion": {"none": [1]}}}, "confusion.none: [1] "),
    ],
)
def test_mistakes_are_named(chosen, message):
    with pytest.raises(UserError) as error:
        resolve(**chosen)
    assert message in str(error.value)


def test_old_keys_and_values_are_answered_with_what_became_of_them():
    keys = {"new": {"enum": [0.5, "youden"]}}
    below = {"type": "object", "additionalProperties": False, "properties": keys}
    formerly = {"a.old": "is `a.new` now", "a.new: half": "is 0.5 now"}
    schema = {"properties": {"a": below}, "formerly": formerly}
    assert settings.problems({"a": {"old": 1, "new": "half"}}, schema) == [
        "a.new: half is 0.5 now",
        "a.old: is `a.new` now",
    ]


@pytest.mark.parametrize("old", SCHEMA["formerly"])
def test_old_keys_and_values_are_old(old):
    key, _, value = old.partition(": ")
    config = yaml.safe_load(value)
    for name in reversed(key.split(".")):
        config = {name: config}
    assert f"{old if value else f'{old}:'} {SCHEMA['formerly'][old]}" in settings.problems(
        {**COHORTS, **config}, SCHEMA
    )


def test_text_becomes_what_the_schema_wants():
    """Snakemake's command line gives nested values as text."""
    config = resolve(
        tensors={"window": ["-150", "250"]},
        augmentation={"crop_scale": ["0.6", "0.6"]},
        pretraining={"learning_rate": "1e-4"},
        linear={"scale": "true"},
        network={"padding": "2"},
        evaluation={"threshold": "0.5"},
        trainer={"limit_train_batches": "10"},
    )
    assert config["tensors"]["window"] == [-150, 250]
    assert config["augmentation"]["crop_scale"] == [0.6, 0.6]
    assert config["pretraining"]["learning_rate"] == 0.0001
    assert config["linear"]["scale"] is True
    assert config["network"]["padding"] == 2
    assert config["evaluation"]["threshold"] == 0.5
    assert config["trainer"]["limit_train_batches"] == 10


WRITTEN = """
base: &base {epochs: 1.0, batch_size: 2e2}
evaluation: {folds: 2.0, permute: yes}
pretraining: {<<: *base, epochs: 3.}
trainer: {limit_train_batches: 10.0}
segment: {weights: ~/weights}
augmentation: {kornia: {RandomShear: {shear: 10, p: 0.5, same_on_batch: false}}}
cohorts: {histo: {labels: {positive: [no, 3, 3.0, 2024-01-01], negative: [on]}, exclude: [0012]}}
"""


def test_values_mean_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    (tmp_path / "config.yaml").write_text(WRITTEN)
    chosen = settings.read(tmp_path / "config.yaml", settings.AsWritten)
    del chosen["base"]
    config = resolve(**settings.merge(COHORTS, chosen))
    assert repr(config["pretraining"]["epochs"]) == "3"
    assert repr(config["pretraining"]["batch_size"]) == "200"
    assert repr(config["evaluation"]["folds"]) == "2"
    assert config["evaluation"]["permute"] is True
    assert repr(config["trainer"]["limit_train_batches"]) == "10"
    assert config["segment"]["weights"] == "/home/someone/weights"
    shear = {"shear": 10, "p": 0.5, "same_on_batch": False}
    assert config["augmentation"]["kornia"] == {"RandomShear": shear}
    histo = config["cohorts"]["histo"]
    assert histo["labels"]["positive"] == ["no", "3", "3.0", "2024-01-01"]
    assert histo["labels"]["negative"] == ["on"]
    assert histo["exclude"] == ["0012"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("preset: tiny\nevaluation: {folds: 3}\nslices: {}\nevaluation: {}\n", "lines 2 and 4"),
        ("cohorts:\n  a: {}\n  b: {}\n  a: {}\n", "'a' stands twice, in lines 2 and 4"),
        ("slices: {by: area, by: extent}\n", "'by' stands twice, in lines 1 and 1"),
        ("slices:\n  by: area\n  'by': extent\n", "'by' stands twice, in lines 2 and 3"),
        ('{"seed": 1,\n"run": "a",\n"seed": 2}', "'seed' stands twice, in lines 1 and 3"),
        ("a: [{b: {c: 1,\n c: 2}}]", "'c' stands twice, in lines 1 and 2"),
    ],
)
@pytest.mark.parametrize("loader", [settings.UniqueKeys, settings.AsWritten])
def test_a_key_twice_is_refused_with_both_lines(text, lines, loader, tmp_path):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=lines):
        settings.read(tmp_path / "config.yaml", loader)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=lines):
        settings.preset("mine", tmp_path)


def test_a_key_twice_in_json_is_refused():
    assert json.loads('{"a": {"b": 1}}', object_pairs_hook=settings.unique) == {"a": {"b": 1}}
    with pytest.raises(ValueError, match="the key 'b' stands twice"):
        json.loads('{"a": {"b": 1, "b": 1}}', object_pairs_hook=settings.unique)


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_settings_in_other_unicode_are_read(mark, tmp_path):
    (tmp_path / "config.yaml").write_text("run: ü\n", encoding=mark)
    assert settings.read(tmp_path / "config.yaml") == {"run": "ü"}


def test_layers_of_files_and_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("seed: 1\nrun: a\ncache: ram\n")
    Path("b.yaml").write_text("run: 0012\ncache: disk\n")
    command = SimpleNamespace(configfiles=["b.yaml"], config={"cache": "gpu"})
    arguments = ["snakemake", "--configfile", "b.yaml", "--config", "cache=gpu"]
    assert settings.layers(arguments, command) == {"seed": "1", "run": "0012", "cache": "gpu"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "seed=1", "run=a", "seed=2"], "seed stands twice on the command line"),
        (["--config", "seed=1", "-n", "-C", "run=a"], "--config stands twice on the command line"),
        (["--configfile", "a", "all", "--configfiles", "b"], "--configfile stands twice"),
        (["--config", "run=0012"], "--config: run=0012 is taken for 12 by Snakemake"),
        (["--config", "run='1_2'"], "--config: run='1_2' is taken for 12 by Snakemake"),
        (["--config", "slices={by: area, by: extent}"], "the key 'by' stands twice"),
    ],
)
def test_the_last_on_the_command_line_does_not_count_in_silence(arguments, message):
    with pytest.raises(UserError, match=message):
        settings.layers(arguments, SimpleNamespace(configfiles=[], config={"run": 12}))


def test_all_mistakes_are_told_at_once():
    with pytest.raises(UserError, match="3 problems") as error:
        resolve(seed="x", slises={}, slices={"fraction": 2})
    assert len(str(error.value).splitlines()) == 4


def keys(schema):
    for name, part in schema.get("properties", {}).items():
        yield name, part
        yield from keys(part)
        if isinstance(part.get("additionalProperties"), dict):
            yield from keys(part["additionalProperties"])


def test_the_schema_is_closed_and_every_key_is_described():
    for name, part in keys(SCHEMA):
        assert part.get("description", "").endswith("."), name
        assert "type" in part or "enum" in part, name
        if part.get("type") == "object":
            assert "additionalProperties" in part, name


def test_every_key_says_where_its_default_is_from():
    page = documentation.paper(SCHEMA)
    for name, part in settings.keys(SCHEMA).items():
        assert part["origin"] in ("paper", "follow-up code", "ours"), name
        assert (ROOT / part["code"]).is_file(), name
        assert f"| `{name}` |" in page
    for name, part in keys(SCHEMA):
        assert "origin" in part or "properties" in part or name == "cohorts", name


def test_a_changed_value_is_no_longer_the_papers():
    found = settings.origins(resolve(slices={"fraction": 0.6}), SCHEMA)
    assert found["changed"] == {"slices.fraction": "0.6"}
    assert found["paper"]["pretraining.batch_size"] == "92"
    assert found["ours"]["slices.by"] == "extent"


def test_generated_pages_are_in_step():
    for path, text in documentation.pages(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make docs"
