import shutil
import subprocess
import sys
from pathlib import Path

import example_archive
import pandas as pd
import pytest
from tiny_project import result

from hepatoclr import provenance, verify
from hepatoclr.base import files

ROOT = Path(__file__).parents[2]
PREDICTION = "predictions/linear/simclr/seed1/repeat1.csv"
TABLE = "tables/table1.csv"
FORMS = ("csv", "md", "tex")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return example_archive.write(tmp_path_factory.mktemp("archive") / "study")


@pytest.fixture
def archive(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "elsewhere" / "archive"))


@pytest.fixture
def copied(finished, tmp_path):
    """What an archive of a whole run needs to hold, in another place."""
    unneeded = shutil.ignore_patterns("volumes", "livers", "tensors", "simulated", "logs")
    return Path(shutil.copytree(result(finished, ""), tmp_path / "archive", ignore=unneeded))


def command(folder):
    """Run the command as a user does, away from the project."""
    return subprocess.run(
        [sys.executable, "-m", "hepatoclr", "verify", str(folder)],
        cwd=Path(folder).parent if Path(folder).parent.is_dir() else ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def rewrite(run, name, old, new):
    """Change a file, and the record with it."""
    text = (run / name).read_text()
    assert old in text
    (run / name).write_text(text.replace(old, new, 1))
    digest, kind = files.sha256(run / name), name.partition("/")[0]
    example_archive.change(run, lambda made: made["files"][kind].update({name: digest}))


def nudge(run, name, by):
    """Change a number of a table, and the record with it."""
    number = str(pd.read_csv(run / name, keep_default_na=False)["auc_mean"].iloc[0])
    rewrite(run, name, number, f"{float(number) + by:.6f}")


def elsewhere(made):
    """Say that the run was made by another Python."""
    made["environment"]["python"] = "3.0.0"


def test_an_archive_as_it_was_left_is_right(archive):
    lines, problems = verify.run(archive)
    assert problems == []
    assert lines[0].endswith(files.sha256(archive / provenance.FILE))
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "cohorts 1 of 1 as recorded",
        "predictions 6 of 6 as recorded",
        "external 0 of 0 as recorded",
        "tables 21 of 21 as recorded",
        "recomputed 21 of 21 tables equal",
    ]


def test_a_table_forged_with_its_digest_is_found(archive):
    nudge(archive, TABLE, 0.01)
    (problem,) = verify.run(archive)[1]
    assert problem.startswith(f"{TABLE}: the table is not what the predictions give")


@pytest.mark.parametrize(("by", "right"), [(1e-6, True), (1e-5, False)])
def test_other_versions_may_round_apart(archive, by, right):
    nudge(archive, TABLE, by)
    assert verify.run(archive)[1]  # of the same versions each byte counts
    example_archive.change(archive, elsewhere)
    lines, problems = verify.run(archive)
    assert (problems == []) is right
    assert "Python 3.0.0, here" in (lines[-1] if right else problems[0])


def test_other_code_is_named(archive):
    nudge(archive, TABLE, 0.01)
    code = {"hepatoclr/reporting/tables/tables.py": "0" * 12}
    example_archive.change(archive, lambda made: made["code"]["fingerprints"].update(code))
    (problem,) = verify.run(archive)[1]
    assert "hepatoclr/reporting/tables/tables.py of other code" in problem


def test_a_table_left_out_of_the_record_is_missed(archive):
    example_archive.change(archive, lambda made: made["files"]["tables"].pop(TABLE))
    (problem,) = verify.run(archive)[1]
    assert problem.startswith(f"{TABLE}: a table of every run, in no record")


def test_text_that_differs_is_no_rounding():
    assert verify.close("simclr,0.5,1e-06", "simclr,0.500001,0")
    assert verify.close("0.81 (0.70-0.90)", "0.82 (0.70-0.90)")
    assert not verify.close("0.81", "0.83")
    assert not verify.close("0.5", "0.500002")
    assert not verify.close("n = 12", "n = 13")
    assert not verify.close("simclr,0.5", "supcon,0.5")
    assert not verify.close("0.5", "0.5,")


def test_predictions_that_are_missing_are_named(archive):
    (archive / PREDICTION).unlink()
    problems = verify.run(archive)[1]
    assert problems[0].startswith(f"{PREDICTION}: the file is missing")
    assert "predictions are missing (1 of 6 files)" in problems[1]


def test_predictions_that_cannot_be_read_are_named(archive):
    (archive / PREDICTION).write_bytes(b"\xff\xfe\0")
    problems = verify.run(archive)[1]
    assert problems[0].startswith(f"{PREDICTION}: the file has changed")
    assert problems[1].startswith("tables: not computed again.")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret",
        "tables/../../secret",
        "C:\\secret",
        "..\\secret",
        "link/x",
        "loop",
        "a\0b",
    ],
)
def test_no_file_outside_of_the_folder_is_read(archive, name):
    (archive.parent / "secret").write_text("")
    (archive / "link").symlink_to(archive.parent)
    (archive / "loop").symlink_to(archive / "loop")
    example_archive.change(archive, lambda made: made["files"]["cohorts"].update({name: "0"}))
    run = command(archive)
    assert run.returncode == 1
    assert f"{name!r} does not lie in the folder of the run" in run.stderr
    assert "Traceback" not in run.stderr


def test_what_did_not_learn_is_marked_again(archive):
    training = "encoders/simclr/seed1/metadata.json"
    files.write_json({"method": "simclr", "learned": False}, archive / training)
    digest = {training: files.sha256(archive / training)}
    example_archive.change(archive, lambda made: made["files"].update(metadata=digest))
    assert {problem.partition(":")[0] for problem in verify.run(archive)[1]} == {
        f"tables/{table}.{suffix}" for table in ("table1", "table2") for suffix in FORMS
    }
    made_again = verify.recompute(archive, verify.read(archive))
    for path, text in made_again.items():
        (archive / path).write_bytes(text.encode())
    digests = {path: files.sha256(archive / path) for path in made_again}
    example_archive.change(archive, lambda made: made["files"].update(tables=digests))
    assert "SimCLR †" in (archive / "tables/table1.md").read_text()
    assert verify.run(archive)[1] == []


def test_a_mixture_of_trainings_is_named(archive):
    training = "encoders/simclr/seed1/metadata.json"
    settings = {"pretraining": {"epochs": 4}}
    files.write_json({"settings": settings}, archive / training)

    def mixed(made):
        made["files"]["metadata"] = {training: files.sha256(archive / training)}
        made["config"] |= {"pretraining": {"epochs": 5}}

    example_archive.change(archive, mixed)
    (problem,) = verify.run(archive)[1]
    assert "pretraining.epochs was 4, 5 is in force" in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("\udcff", "cannot be read as JSON"),
        ("[]", "this is no record of a run"),
        ("{}", "'files' is missing"),
        ('{"files": {"predictions": [], "tables": {"x": 1}}}', "files.predictions"),
    ],
)
def test_a_broken_record_is_named(tmp_path, text, message):
    (tmp_path / provenance.FILE).write_bytes(text.encode(errors="surrogateescape"))
    run = command(tmp_path)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_folder_without_record_is_named(tmp_path, name):
    run = command(tmp_path / name)
    assert run.returncode == 1
    assert run.stderr.startswith("verify: ")
    assert "provenance.json: there is no such file" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_whole_run_is_right_in_another_place(copied):
    run = command(copied)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    made = files.read_json(copied / provenance.FILE)
    for kind, digests in made["files"].items():
        assert f"{len(digests)} of {len(digests)} as recorded" in run.stdout, kind
    assert "21 of 21 tables equal" in run.stdout


def test_a_changed_prediction_and_a_lost_table_are_named(copied):
    found = pd.read_csv(copied / PREDICTION, dtype=str, keep_default_na=False)
    lowest = found["probability"].astype(float).idxmin()
    found.loc[lowest, "probability"] = "0.999"
    found.to_csv(copied / PREDICTION, index=False, lineterminator="\n")
    (copied / "tables/nested.md").unlink()
    run = command(copied)
    assert run.returncode == 1
    found = run.stderr.splitlines()
    assert all(line.startswith("verify: ") for line in found)
    for start in (
        f"verify: {PREDICTION}: the file has changed",
        "verify: tables/nested.md: the file is missing",
        f"verify: {TABLE}: the table is not what the predictions give",
    ):
        assert sum(line.startswith(start) for line in found) == 1, start
    assert not any("finetune" in line for line in found)
