"""Files from a stranger run no code, lead nowhere else, and are inert in what is made of them.

Every door has its attacks; `canary` is a file that appears if code of the attacker has run.
"""

import csv
import json
import os
import pickle
import shutil
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import blosc2
import example_archive
import example_ct
import example_predictions
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from tiny_project import ROOT, result

from hepatoclr import cli, verify
from hepatoclr.base import devices, messages, settings, texts
from hepatoclr.base.errors import BadCase, UserError
from hepatoclr.cohorts import manifest_checks, manifests
from hepatoclr.imaging import ingest, tensors
from hepatoclr.imaging.segmentation import totalsegmentator as totalseg
from hepatoclr.learning import backbone, checkpoints, trainers
from hepatoclr.reporting import compare, markup
from hepatoclr.stats import predictions

CONFIG, COHORT = (
    yaml.safe_load((ROOT / f"rules/{name}.schema.yaml").read_text())
    for name in ("config", "cohort")
)
ESCAPE = "\x1b]0;owned\x07"  # sets the title of a terminal
FORMULAS = ["=cmd|' /C calc'!A0", "+cmd|'x'!A", "-x", "@SUM(A1)", "F0;=HYPERLINK(1)", "＝1+1"]
CONTROLS = ["a\x00b", "a\tb", "a\rb", "a\nb", f"a{ESCAPE}", "a\x9b2J", "a\u202eb", "a\u2028b"]
# nothing of this is a formula or a control character: it must pass, and be text everywhere
MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![x](https://evil.example/x.png)",
    r"\input{/etc/passwd} $\undefined$ 100% #1 a_b^c~d & e",
    "[10cm] `id` $(touch canary) ; touch canary",
    "{wildcards.cohort} {0.__class__} {{ 7 * 7 }} {% x %}",
]


class Bomb:
    """What runs a command when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch '{self.canary}'",)


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def test_the_bomb_goes_off_where_it_is_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "there")))
    assert (tmp_path / "there").exists()


# --- text ---


@pytest.mark.parametrize("text", [*FORMULAS, *CONTROLS])
def test_text_that_commands_a_spreadsheet_or_a_terminal_is_refused(text):
    assert texts.invalid_reason(text)


@pytest.mark.parametrize(
    "text", [*MARKUP, "", "0012", "-", "+", "-1", "+1.5", "F3; F4", "Ⅳ", "患者"]
)
def test_other_text_is_not(text):
    assert texts.invalid_reason(text) is None


def test_a_message_commands_no_terminal():
    assert str(UserError(f"row 1: {ESCAPE}\nrow 2")) == "row 1: \\x1b]0;owned\\x07\nrow 2"
    assert str(BadCase("\x9b")) == "\\x9b"


# --- configuration ---


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"run": "../../x"}, "run: '../../x' does not fit"),
        ({"run": "/tmp/x"}, "does not fit"),
        ({"run": "x\n"}, "does not fit"),
        ({"run": "{x}"}, "does not fit"),
        ({"run": "x" * 300}, "is too long"),
        ({"preset": "../../evil"}, "there is no preset '../../evil'"),
        ({"segment": {"backend": "os.path"}}, "does not fit"),
        ({"experiment": {"methods": ["../x"]}}, "does not fit"),
        ({"cohorts": {"radio": {"manifest": "<results>/x.csv"}}}, "does not fit"),
        ({"cohorts": {"../x": {"role": "external"}}}, "does not fit"),
        ({"cohorts": {"x\n": {"role": "external"}}}, "does not fit"),
        ({"cohorts": {"radio": {"labels": {"positive": [ESCAPE]}}}}, "control character"),
        (
            {"segment": {"weights": "a\x00b"}},
            "segment.weights: 'a\\x00b' holds a control character",
        ),
        ({"__use_yte__": True}, "__use_yte__: unknown key"),
    ],
)
def test_a_hostile_setting_is_refused(chosen, message):
    with pytest.raises(UserError) as refused:
        settings.resolve({"preset": "tiny", **chosen}, CONFIG, ROOT / "presets")
    assert message in str(refused.value)
    assert messages.escape_control_characters(str(refused.value)) == str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "__use_yte__: true\n__definitions__: ['import os; os.system(\"touch canary\")']\n",
        "__use_yte__: true\nrun: ?__import__('os').system('touch canary')\n",
        "run: !!python/object/apply:os.system ['touch canary']\n",
    ],
)
def test_no_code_runs_in_config_yaml_or_a_preset(text, tmp_path, monkeypatch, canary):
    monkeypatch.chdir(shutil.copytree(ROOT / "presets", tmp_path, dirs_exist_ok=True))
    Path("theirs.yaml").write_text(text)
    for chosen in (lambda: settings.read("theirs.yaml"), lambda: {"preset": "theirs"}):
        with pytest.raises(UserError, match="theirs.yaml|unknown key"):
            settings.resolve(chosen(), CONFIG, tmp_path)


def test_snakemake_reads_config_yaml_as_data(project):
    text = "__use_yte__: true\n__definitions__: ['import os; os.system(\"touch canary\")']\n"
    (project.folder / "config.yaml").write_text(text)
    told = project.snakemake("-n", check=False)
    assert "__use_yte__: unknown key" in told
    assert "Traceback" not in told
    assert not (project.folder / "canary").exists()


# --- manifests ---


def refused_manifest(folder, **values):
    """What is said of a manifest with a row of these values."""
    row = {"patient_id": "1", "image": "ct.nii", "label": "F0", **values}
    with open(folder / "m.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([row.keys(), row.values()])
    with pytest.raises(UserError) as refused:
        manifest_checks.read(folder / "m.csv", COHORT)
    assert messages.escape_control_characters(str(refused.value)) == str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "column", ["patient_id", "scan_id", "label", "weak_label", "site", "phase"]
)
@pytest.mark.parametrize("text", [*FORMULAS, *(f"{text}c" for text in CONTROLS)])
def test_a_manifest_with_hostile_text_is_refused(column, text, tmp_path):
    assert f"row 2: {column} {text!r} " in refused_manifest(tmp_path, **{column: text})


@pytest.mark.parametrize("column", ["image", "liver_mask"])
def test_a_path_with_control_characters_is_refused_and_not_told(column, tmp_path):
    told = refused_manifest(tmp_path, **{column: f"jane{ESCAPE}.nii"})
    assert f"row 2: {column} holds a control character" in told
    assert "jane" not in told


def test_the_names_of_columns_command_no_terminal(tmp_path):
    assert "unknown key" in refused_manifest(tmp_path, **{ESCAPE.replace(";", ""): "x"})


def leading(image, folder, **cohort):
    """What is wrong with the path of a manifest."""
    row = manifests.row({"patient_id": "1", "image": image, "label": "F0"}, folder, 2)
    given = {"manifest": str(folder / "m.csv"), "folders": [], **cohort}
    return list(
        manifest_checks._file_problems(row, manifest_checks._folders(given), "totalsegmentator")
    )


def test_a_manifest_leads_nowhere_but_where_the_configuration_says(tmp_path):
    own, other = tmp_path / "own", tmp_path / "own_other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "ct.nii").touch()
    (own / "link.nii").symlink_to(other / "ct.nii")
    assert leading("ct.nii", own) == leading(str(own / "ct.nii"), own) == []
    for image in (
        "../own_other/ct.nii",
        str(other / "ct.nii"),
        "link.nii",
        "/etc/passwd",
        "/dev/zero",
    ):
        (told,) = leading(image, own)
        assert told.startswith("row 2: image does not lie below the manifest's folder")
        assert image not in told
    assert leading("../own_other/ct.nii", own, folders=[str(other)]) == []
    assert leading("link.nii", own, folders=[str(other)]) == []


def test_a_manifest_leads_to_no_bucket_but_those_that_the_configuration_names(tmp_path):
    named = {"folders": ["s3://hospital/study"]}
    assert leading("s3://hospital/study/ct/1.zip", tmp_path, **named) == []
    for image in ("s3://hospital/study2/1.zip", "s3://other/study/1.zip", "s3://hospital/1.zip"):
        (told,) = leading(image, tmp_path, **named)
        assert "does not lie below" in told
    for image in (
        "s3://hospital/study/../1.zip",
        "s3://hospital/study/./1.zip",
        "s3://hospital/study/..",
        "s3://../study/1.zip",
        "s3:///study/1.zip",
        "s3://hospital/study//1.zip",
        "s3://hospital/study/1.zip?x",
        "s3://hospital/study/1.zip#x",
        "s3://hospital",
    ):
        (told,) = leading(image, tmp_path, **named)
        assert "must be s3://bucket/key" in told
        assert image not in told
    (told,) = leading("s3://hospital/1.zip", tmp_path)
    assert "folders" in told


@pytest.mark.parametrize("image", ["{cohort}.nii", "{0}", "<results>/ct.nii", "a{b"])
def test_a_path_is_no_pattern_of_the_workflow(image, tmp_path):
    (told,) = leading(image, tmp_path)
    assert told == "row 2: the path of image holds {, }, < or >; rename what does"


def test_a_path_too_long_is_told_as_missing(tmp_path):
    assert leading("x" * 5000, tmp_path)[0].startswith("row 2: image does not exist")


# --- images ---


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "ct.nii")
    assert "neither a file nor a folder" in example_ct.refusal(tmp_path / "ct.nii")
    folder = example_ct.write_series(tmp_path / "dicom", example_ct.random_hu())
    os.mkfifo(folder / "pipe.dcm")
    assert ingest.read_ct(folder).facts["ignored"] == {"not a file": 1}


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..\\out", "C:/../out"])
def test_a_zip_writes_nothing_outside(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp" / "own"))
    (tmp_path / "tmp" / "own").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        archive.writestr(name, "x")
    assert "leads outside" in example_ct.refusal(tmp_path / "ct.zip")
    assert {path.name for path in tmp_path.rglob("*")} == {"ct.zip", "tmp", "own"}


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    series = example_ct.write_series(tmp_path / "private", example_ct.random_hu())
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in series.iterdir():
            link = zipfile.ZipInfo(path.name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, str(path))
    assert "no file at all" in example_ct.refusal(tmp_path / "ct.zip")


def test_a_nifti_header_that_names_a_huge_volume_costs_nothing(tmp_path):
    path = example_ct.write_nifti(tmp_path / "ct.nii")
    content = bytearray(path.read_bytes())
    content[40:56] = struct.pack("<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1)
    path.write_bytes(content)
    assert "names more than 8 GB" in example_ct.refusal(path)


def test_texts_of_dicom_do_not_become_formulas(tmp_path):
    hostile = {
        "Manufacturer": "=cmd|' /C calc'!A0",
        "ManufacturerModelName": "+cmd <script>",
        "ConvolutionKernel": "@SUM(A1)",
    }
    folder = example_ct.write_series(tmp_path / "ct", example_ct.random_hu(), **hostile)
    facts = ingest.read_ct(folder).facts
    assert [facts[key] for key in ("manufacturer", "model", "kernel")] == [None] * 3


# --- models and intermediate files ---


def test_an_encoder_is_no_pickle(tmp_path, canary):
    torch.save(Bomb(canary), tmp_path / "encoder.safetensors")
    with pytest.raises(Exception, match="(?i)header|deserializ"):
        backbone.read(tmp_path / "encoder.safetensors", {"channels": [2, 2]})


def test_a_checkpoint_runs_no_code(tmp_path, canary):
    torch.save({"state_dict": Bomb(canary)}, tmp_path / "last.ckpt")
    engine = trainers.make(trainers.DEFAULTS, torch.device("cpu"), 1, tmp_path, None, [])
    with pytest.raises(pickle.UnpicklingError):
        engine.strategy.load_checkpoint(checkpoints.intact(tmp_path / "last.ckpt"), True)


def test_a_cache_of_slices_runs_no_code(tmp_path, canary):
    plain = blosc2.asarray(np.arange(4), urlpath=str(tmp_path / "plain.b2nd"), mode="w")
    source = f"""
        def attack(inputs, output, offset):
            import os
            os.system("touch '{canary}'")
    """
    (tmp_path / "attack.py").write_text(textwrap.dedent(source))
    sys.path.insert(0, str(tmp_path))
    try:
        from attack import attack
    finally:
        sys.path.remove(str(tmp_path))
    blosc2.lazyudf(attack, (plain,), np.int64).save(urlpath=str(tmp_path / "x.b2nd"), mode="w")
    with pytest.raises(Exception, match="deserialize"):
        tensors.load(tmp_path / "x.b2nd")


def test_a_table_of_features_runs_no_code(tmp_path, canary):
    kind = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Bomb(canary)),
    }
    schema = pa.schema([pa.field("case", pa.string(), metadata=kind)])
    pq.write_table(pa.table({"case": ["1"]}, schema=schema), tmp_path / "x.parquet")
    assert pd.read_parquet(tmp_path / "x.parquet")["case"].tolist() == ["1"]


WEIGHTS = """
import sys, torch
import tiny_totalseg
from pathlib import Path
from hepatoclr.imaging import segment
from hepatoclr.base.errors import UserError
from test_security import Bomb
from totalsegmentator.map_tasks_config import TASK_CONFIGS

weights, canary = map(Path, sys.argv[1:])
trainer = TASK_CONFIGS["total"]["sub_modes"]["fast"]["trainer"]
tiny_totalseg.make_model(weights, 297, 3.0, trainer)
(checkpoint,) = weights.rglob("*.pth")
held = torch.load(checkpoint, weights_only=False)
torch.save({**held, "logging": Bomb(canary)}, checkpoint)
try:
    segment.liver(tiny_totalseg.phantom()[0], "totalsegmentator", weights=weights, device="cpu")
except UserError as error:
    print(type(error).__name__, error)
"""


def test_weights_run_no_code(tmp_path, canary):
    pytest.importorskip("totalsegmentator")
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "tests", Path(__file__).parent]))
    done = subprocess.run(
        [sys.executable, "-c", WEIGHTS, tmp_path / "weights", canary],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "HOME": str(tmp_path)},
    )
    assert (
        "UserError a checkpoint of TotalSegmentator holds more than weights (posix.system)"
        in done.stdout
    )


@pytest.mark.parametrize(
    "change",
    [
        {"network_class_name": "subprocess.Popen"},
        {"network_class_name": "dynamic_network_architectures.architectures.unet.np.load"},
        {"arch_kwargs": {"nonlin": "os.system"}, "_kw_requires_import": ["nonlin"]},
        {"arch_kwargs": {"nonlin": ["os.system"]}, "_kw_requires_import": ["nonlin"]},
        {"_kw_requires_import": None},
    ],
)
def test_plans_name_networks_and_layers_only(change, tmp_path):
    folder = tmp_path / totalseg.FOLDERS[297] / "x"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "fold_0/checkpoint_final.pth").touch()
    built = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {"conv_op": "torch.nn.modules.conv.Conv3d", "norm_op": None},
        "_kw_requires_import": ["conv_op", "norm_op"],
    }
    plans = folder / "plans.json"
    plans.write_text(json.dumps({"configurations": {"3d": {"architecture": built}, "2d": {}}}))
    totalseg.preflight("fast", tmp_path)
    hostile = {"configurations": {"3d": {"architecture": built | change}}}
    plans.write_text(json.dumps(hostile))
    with pytest.raises(UserError, match="is not what nnU-Net writes"):
        totalseg.preflight("fast", tmp_path)


# --- predictions and archives ---


def predicted(path, **columns):
    job = example_predictions.job("linear", "simclr", patients=30, folds=3)
    job.assign(**columns).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("column", ["encoder", "protocol", "patient_id"])
@pytest.mark.parametrize("text", [*FORMULAS, f"a{ESCAPE}", "a\nb"])
def test_predictions_with_hostile_text_are_refused(column, text, tmp_path):
    with pytest.raises(UserError, match=f"line 2: {column} (holds|would be)"):
        predictions.read([predicted(tmp_path / "x.csv", **{column: text})])


def test_a_list_of_numbers_is_no_code(tmp_path):
    with pytest.raises(UserError, match="by_slice must be numbers"):
        predictions.read([predicted(tmp_path / "x.csv", by_slice="__import__('os')")])


class Page(HTMLParser):
    """What of an HTML page could run or fetch something."""

    def __init__(self):
        super().__init__()
        self.active = []

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "iframe", "object", "embed", "link", "base"):
            self.active.append(tag)
        self.active += [name for name, _ in attributes if name.startswith("on")]
        self.active += [
            value
            for name, value in attributes
            if name in ("src", "href") and ":" in (value or "") and not value.startswith("data:")
        ]


def active(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page.active


def assert_inert(folder):
    """Nothing in the texts, tables and pages of a folder is more than text."""
    kinds = {path.suffix for path in folder.rglob("*")}
    assert {".csv", ".md", ".tex", ".html", ".svg"} <= kinds
    for path in folder.rglob("*.html"):
        assert active(path) == ["script"], path  # our own, which the policy of the page names
    for path in folder.rglob("*.csv"):
        for delimiter in ",;":
            with open(path, encoding="utf-8", newline="") as file:
                cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
            assert not [cell for cell in cells if texts.FORMULA.match(cell)], path
    for path in folder.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("<script", "<img", "![x](", " $(", " `id`") if word in text]
    for path in folder.rglob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert r"\input{" not in text
        assert r"\undefined" not in text
        assert "\\\\\n[" not in text
    for path in folder.rglob("*.svg"):
        assert "<script>" not in path.read_text(encoding="utf-8")


def test_names_of_models_are_text_in_everything_that_compares_them(tmp_path):
    paths = [
        predicted(tmp_path / f"{number}.csv", encoder=text, protocol=MARKUP[number - 1])
        for number, text in enumerate(MARKUP)
    ]
    compare.run(paths, tmp_path / "out")
    assert_inert(tmp_path / "out")
    assert not (ROOT / "canary").exists()


def test_text_is_text_in_markdown():
    escaped = markup.plain_markdown("![x](https://evil.example) <b> `c` *d*")
    assert escaped == r"\!\[x\](https:\//evil.example) &lt;b&gt; \`c\` \*d\*"


def test_an_archive_commands_no_terminal(tmp_path, capsys):
    run = example_archive.write(tmp_path / "run")

    def edit(record):
        record["files"][ESCAPE] = {f"{ESCAPE}.csv": "0"}
        record["hardware"]["cpu"] = ESCAPE

    example_archive.change(run, edit)
    (run / "tables/table1.csv").write_text("x")
    with pytest.raises(SystemExit):
        cli.verify(run)
    printed = "".join(capsys.readouterr())
    assert "owned" in printed
    assert messages.escape_control_characters(printed) == printed


def test_an_archive_does_not_have_files_read_that_it_does_not_name(tmp_path, monkeypatch):
    run, private = example_archive.write(tmp_path / "run"), tmp_path / "private"
    private.write_text("x")
    (run / "tables/table1.md").unlink()
    (run / "tables/table1.md").symlink_to(private)
    example_archive.change(run, lambda record: record["files"]["tables"].pop("tables/table1.md"))
    opened = []
    monkeypatch.setattr(
        verify, "_text", lambda path: opened.append(path) or path.read_text("utf-8")
    )
    _, problems = verify.run(run)
    assert problems == ["tables/table1.md: a table of every run, in no record."]
    assert run / "tables/table1.csv" in opened
    assert run / "tables/table1.md" not in opened


# --- the machine ---


def test_locks_are_not_laid_into_the_folder_of_another(tmp_path):
    victim, place = tmp_path / "victim", tmp_path / "planted"
    victim.write_text("precious")
    place.mkdir()
    (place / "choosing").symlink_to(victim)
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(PermissionError, match="is not a folder of this user"):
        devices.acquire(["a"], {}, tmp_path / "link")
    if os.geteuid() == 0:
        os.chown(place, 12345, 12345)
        with pytest.raises(PermissionError, match="is not a folder of this user"):
            devices.acquire(["a"], {}, place)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["x;touch canary;.csv", "x`touch canary`", 'x";touch canary;"'])
@pytest.mark.parametrize("target", ["compare PREDICTIONS", "compare OUTPUT", "verify RUN"])
def test_a_file_name_is_no_command_for_make(target, name, tmp_path, canary):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for path in ("envs/requirements.txt", ".venv/pins"):
        (tmp_path / path).parent.mkdir()
        shutil.copy(ROOT / "envs/requirements.txt", tmp_path / path)
    (tmp_path / ".venv/bin").mkdir()
    for name_of_command in ("hepatoclr", "pip"):
        command = tmp_path / ".venv/bin" / name_of_command
        command.write_text('#!/bin/sh\necho "$@"\n')
        command.chmod(0o755)
    rule, variable = target.split()
    given = {"PREDICTIONS": "y.csv", variable: name} if rule == "compare" else {variable: name}
    done = subprocess.run(
        ["make", rule, *(f"{key}={value}" for key, value in given.items())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert name in done.stdout, done.stderr
    assert done.returncode == 0


# --- a whole run ---


def hostile_cohort(folder):
    """A cohort whose names, labels and paths are markup, code and patterns; of six patients."""
    shape, grid = (20, 64, 64), example_ct.affine((2.5, 1.8, 1.8))
    inside = np.s_[3:17, 2:62, 2:62]
    labels = [MARKUP[0], MARKUP[3]]
    with open(folder / "m.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "image", "liver_mask", "label", "site", "phase"])
        for number, text in enumerate(MARKUP):
            name = f"{number} $(touch canary) `touch canary` ;touch canary & '\""
            ct, mask = np.full(shape, -1000, np.int16), np.zeros(shape, np.uint8)
            ct[inside], mask[inside] = 100 + number, 1
            example_ct.write_nifti(folder / f"{name}.nii.gz", ct.transpose(2, 1, 0), grid)
            example_ct.write_nifti(folder / f"{name}.mask.nii", mask.transpose(2, 1, 0), grid)
            # ids look like no path
            patient = text[:30].replace("/", "|").replace("\\", "|")
            paths = [f"{name}.nii.gz", f"{name}.mask.nii"]
            table.writerow([patient, *paths, labels[number % 2], MARKUP[number // 3], text])
    return {
        "role": "evaluation",
        "manifest": str((folder / "m.csv").relative_to(folder.parent)),
        "labels": {"positive": labels[:1], "negative": labels[1:]},
    }


def test_a_hostile_cohort_that_is_accepted_is_text_in_all_results(project):
    folder = project.folder / "theirs"
    folder.mkdir()
    preset = yaml.safe_load((ROOT / "presets/tiny.yaml").read_text())
    preset["cohorts"]["histo"] = hostile_cohort(folder)
    (project.folder / "presets/theirs.yaml").write_text(yaml.safe_dump(preset))
    outside = {path for path in project.folder.iterdir() if path.name != "results"}
    project.snakemake("--cores", "2", preset="theirs")
    table = pd.read_csv(result(project, "cohorts/histo.csv"), keep_default_na=False)
    assert table["included"].all()
    assert set(table["phase"]) == set(MARKUP)
    assert_inert(result(project, ""))
    assert not list(project.folder.rglob("canary*"))
    assert {path for path in project.folder.iterdir() if path.name != "results"} == outside
