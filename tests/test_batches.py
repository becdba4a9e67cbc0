"""Cases in batches: what is made again and what is not, whatever happens to a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_project import Project, result

from hepatoclr import batches, cases, files, logs, volumes
from hepatoclr.errors import BadCase, UserError

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("simulated", "volumes", "livers", "slices", "tensors", "qc")


class Stage:
    """A stage of three cases; each file it makes holds what it was made from."""

    def __init__(self, folder, writes=("facts", "copy")):
        self.folder, self.made = folder, []
        self.writes = {name: str(folder / "out" / f"{{case}}.{name}") for name in writes}
        self.members = {}
        for case in "abc":
            (folder / f"{case} source").write_text(case)
            self.members[case] = {"source": str(folder / f"{case} source"), "number": 1}

    @property
    def notes(self):
        return self.folder / "notes"

    def make(self, case, source, number, **paths):
        self.made.append(case)
        files.write_text(Path(source).read_text() * number, paths.get("copy", paths.get("facts")))
        if "facts" in paths:
            files.write_json({"case": case}, paths["facts"])

    def run(self, batch="1", members=None, make=None, **changes):
        """Run a batch; say which cases were made."""
        self.made = []
        given = {
            **{"stage": "copy", "cohort": "histo", "key": "k", "sources": ["source"]},
            **{"members": members or self.members, "writes": self.writes},
        }
        batches.run(make or self.make, self.notes / f"{batch}.csv", **(given | changes))
        return self.made

    def out(self, case, name="copy"):
        return Path(self.writes[name].format(case=case))

    def again(self, *mended):
        tables = dict.fromkeys(self.members, self.notes / "1.csv")
        return batches.again(tables, self.writes, mended)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_what_is_made_stays_made(stage):
    assert stage.run() == ["a", "b", "c"]
    table = (stage.notes / "1.csv").read_text()
    assert table.splitlines()[0] == "case,key"
    assert list(batches.read(stage.notes / "1.csv")) == ["a", "b", "c"]
    assert stage.run() == []
    assert (stage.notes / "1.csv").read_text() == table


def test_damage_is_noticed_by_the_stage_that_reads(stage, tmp_path):
    stage.run()
    (tmp_path / "later").mkdir()
    later = Stage(tmp_path / "later", writes=["copy"])
    given = {"upstream": [stage.notes / "1.csv"], "reads": {"before": stage.writes["copy"]}}
    stage.out("b").write_text("x")
    with pytest.raises(UserError, match=r"b: damaged, .*b\.copy\. Moved to") as told:
        later.run(**given)
    assert str(told.value).count("damaged") == 2
    assert later.made == ["a", "c"]
    assert not stage.out("b").exists()
    assert stage.run() == ["b"]
    assert later.run(**given) == ["b"]


def test_digests_and_keys_do_not_depend_on_batches(stage, tmp_path):
    stage.run()
    whole = [stage.notes / "1.csv"]
    keys, digests = batches.keys(whole), batches.digests(whole)
    assert set(digests) == {str(stage.out(case, name)) for case in "abc" for name in stage.writes}
    assert digests[str(stage.out("a"))] == files.sha256(stage.out("a"))
    assert set(keys) == {"notes/a", "notes/b", "notes/c"}
    stage.run("1", {case: stage.members[case] for case in "ab"})
    stage.run("2", {"c": stage.members["c"]})
    parts = [stage.notes / "2.csv", stage.notes / "1.csv"]
    assert (batches.keys(parts), batches.digests(parts)) == (keys, digests)


def test_each_ingredient_counts(stage, tmp_path):
    before = tmp_path / "before.csv"
    before.write_text("case,key\na,1\nb,1\nc,1\n")
    stage.run(upstream=[before])
    assert stage.run(upstream=[before], key="other") == ["a", "b", "c"]
    assert stage.run(upstream=[before], key="other") == []
    before.write_text("case,key\na,1\nb,2\nc,1\n")
    assert stage.run(upstream=[before], key="other") == ["b"]
    stage.members["c"]["number"] = 2
    assert stage.run(upstream=[before], key="other") == ["c"]
    assert stage.out("c").read_text() == "cc"
    (tmp_path / "a source").write_text("longer")
    assert stage.run(upstream=[before], key="other") == ["a"]


def test_other_batches_make_nothing_again(stage):
    stage.run()
    reversed_members = dict(reversed(stage.members.items()))
    assert stage.run("2", {name: reversed_members[name] for name in "ba"}) == []
    assert stage.run("7", {"c": stage.members["c"]}) == []
    new = {"b": stage.members["b"], "d": {**stage.members["a"], "number": 3}}
    assert stage.run("1", new) == ["d"]


def test_a_source_that_moves_as_a_whole_is_the_same(stage, tmp_path):
    stage.run()
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "a source").rename(moved / "a source")
    stage.members["a"]["source"] = str(moved / "a source")
    assert stage.run() == []


@pytest.mark.parametrize("kept_time", [False, True])
def test_a_folder_counts_with_everything_in_it(tmp_path, kept_time):
    file = tmp_path / "ct" / "nested" / "1.dcm"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"bad")
    os.utime(file, ns=(10**9, 10**9))
    (tmp_path / "ct" / "nowhere").symlink_to(tmp_path / "gone")
    before = batches.look([tmp_path / "ct"])
    assert batches.look([tmp_path / "ct"]) == before
    file.write_bytes(b"good")
    if kept_time:
        os.utime(file, ns=(10**9, 10**9))
    assert batches.look([tmp_path / "ct"]) != before
    assert batches.look([tmp_path / "gone"]) == batches.look([tmp_path / "lost"])


def test_of_copies_counts_what_they_hold(tmp_path):
    copy = tmp_path / "copies" / "ct" / "1.dcm"
    copy.parent.mkdir(parents=True)
    copy.write_text("one")
    copies = str(tmp_path / "copies")
    before = batches.look([copy.parent], copies)
    os.utime(copy, (1, 1))
    assert batches.look([copy.parent], copies) == before
    assert batches.look([copy.parent], str(tmp_path / "others")) != before
    copy.write_text("two")
    assert batches.look([copy.parent], copies) != before


def test_a_lost_file_is_made_again_and_asked_for_once(stage):
    assert stage.again() == {}
    stage.run()
    assert stage.again() == {}
    for times in (1, 2):
        stage.out("b").unlink()
        assert stage.again() == {"b": times}
        assert stage.run(again={"b": times}) == ["b"]
        assert stage.again() == {"b": times}
    stage.members["b"]["number"] = 5  # what is made again for another reason is not counted
    assert stage.run(again=stage.again()) == ["b"]
    assert stage.again() == {"b": 2}


@pytest.mark.parametrize("lost", [["out/b.copy"], ["out/b.copy", "notes/b.made"]])
def test_it_is_asked_for_the_same_until_it_is_made(stage, lost):
    """Each attempt of a job may ask anew, in another process, also when the last one was killed."""
    stage.run()
    for name in lost:
        (stage.folder / name).unlink()
    assert stage.again() == {"b": 1}

    def ended(case, **_):
        (stage.notes / "1.csv").unlink()  # as Snakemake does when a job begins
        assert stage.again() == {"b": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(make=ended, again={"b": 1})
    assert stage.again() == {"b": 1}
    assert stage.run(again={"b": 1}) == ["b"]


def test_a_mended_source_is_asked_for_once(stage, tmp_path):
    source = tmp_path / "b source"
    assert not batches.changed(stage.notes, "b", [source])
    stage.run()
    assert not batches.changed(stage.notes, "b", [source])
    source.write_text("mended")
    assert batches.changed(stage.notes, "b", [source])
    assert stage.again("b") == {"b": 1}
    assert stage.run(again={"b": 1}) == ["b"]
    assert not batches.changed(stage.notes, "b", [source])
    assert stage.again() == {"b": 1}


def test_an_interrupted_batch_goes_on(stage):
    def until_b(case, **given):
        if case == "b":
            stage.out("b").write_text("half")
            raise KeyboardInterrupt
        stage.make(case, **given)

    stage.run()
    with pytest.raises(KeyboardInterrupt):
        stage.run(make=until_b, key="other")
    assert stage.made == ["a"]
    # the half-made case does not count as what it was before, either
    assert stage.run() == ["a", "b"]
    assert stage.out("b").read_text() == "b"


def failing(stage, error):
    def make(case, **given):
        if case == "b":
            raise error
        stage.make(case, **given)

    return make


def test_an_unusable_case_is_set_aside_and_not_tried_again(stage):
    bad = failing(stage, BadCase("no CT", "scan"))
    assert stage.run(make=bad) == ["a", "c"]
    assert files.read_json(stage.out("b", "facts")) == {"set_aside": "no CT", "stage": "scan"}
    assert stage.out("b").read_bytes() == b""
    assert stage.run() == []
    assert stage.run(key="other") == ["a", "b", "c"]


def test_an_unexpected_error_sets_one_case_aside_which_is_tried_again(stage):
    stage.run(make=failing(stage, RuntimeError("a bug")))
    found = [files.read_json(stage.out(case, "facts")) for case in "abc"]
    assert "copy failed (RuntimeError" in found[1]["set_aside"]
    assert [cases.SET_ASIDE in one for one in found] == [False, True, False]
    assert batches.read(stage.notes / "1.csv")["b"] == ""
    assert stage.again() == {}
    assert stage.run() == ["b"]
    assert batches.read(stage.notes / "1.csv")["b"]


def test_stop_ends_with_the_case_and_its_reason(stage):
    with pytest.raises(UserError, match="case histo b: no CT"):
        stage.run(make=failing(stage, BadCase("no CT")), on_bad_case="stop")
    assert stage.run() == ["b", "c"]


def test_without_facts_the_others_are_made_and_the_job_fails(tmp_path):
    stage = Stage(tmp_path, writes=["copy"])
    with pytest.raises(
        UserError, match=r"copy of cohort histo has one problem:\n.* b: copy failed"
    ):
        stage.run(make=failing(stage, RuntimeError("a bug")))
    assert stage.made == ["a", "c"]
    assert not (stage.notes / "1.csv").exists()
    assert stage.run() == ["b"]


def test_what_every_case_needs_ends_the_batch(stage):
    with pytest.raises(UserError, match="weights are missing"):
        stage.run(make=failing(stage, UserError("weights are missing")))
    assert stage.made == ["a"]
    assert stage.run() == ["b", "c"]
    assert cases.usable(stage.out("b", "facts"))


def test_what_an_earlier_stage_left_must_be_there(stage, tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(UserError, match=r"case histo b: copy needs .*b\.txt, which is gone"):
        stage.run(reads={"earlier": str(tmp_path / "{case}.txt")}, make=lambda *_, **__: None)
    assert not stage.out("b", "facts").exists()


def test_sigterm_is_no_fault_of_a_case(stage):
    def terminated(case, **_):
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit), logs.ended_by_exception():
        stage.run(make=terminated)
    assert signal.getsignal(signal.SIGTERM) == before
    assert stage.run() == ["a", "b", "c"]
    assert cases.usable(stage.out("a", "facts"))


def attempt(folder, writes, end, key="k"):
    """Run a batch whose second case ends the process, in a process of its own."""
    code = (
        "import os, pathlib, signal, sys; sys.path.insert(0, 'tests')\n"
        "from test_batches import Stage\n"
        f"stage = Stage(pathlib.Path({str(folder)!r}), {writes!r})\n"
        "def deadly(case, **given):\n"
        "    print(case, flush=True)\n"
        f"    {end} if case == 'b' else stage.make(case, **given)\n"
        f"stage.run(make=deadly, sources=[], key={key!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.split(), done.stderr


@pytest.mark.parametrize("end", ["os._exit(9)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_case_that_kills_the_process_twice_is_set_aside_by_the_next_one(tmp_path, end):
    stage, writes = Stage(tmp_path), ("facts", "copy")
    first, second, third = (attempt(tmp_path, writes, end) for _ in range(3))
    assert {first[0], second[0]} <= {9, -9}
    assert (first[1], second[1], third[:2]) == (["a", "b"], ["b"], (0, ["c"]))
    reason = files.read_json(stage.out("b", "facts"))["set_aside"]
    assert "was killed twice, probably for want of memory" in reason
    assert "--forcerun" in reason
    assert stage.run(sources=[]) == ["b"]  # whenever its batch is


def test_a_process_that_was_killed_once_sets_no_case_aside(tmp_path):
    attempt(tmp_path, ("facts", "copy"), "os._exit(9)")
    assert Stage(tmp_path, ["facts", "copy"]).run(sources=[]) == ["b", "c"]


def test_other_settings_are_not_blamed_for_deaths(tmp_path):
    for _ in range(2):
        attempt(tmp_path, ("facts", "copy"), "os._exit(9)")
    assert attempt(tmp_path, ("facts", "copy"), "os._exit(9)", key="other")[1] == ["a", "b"]


def test_without_facts_a_death_is_told_when_the_others_are_made(tmp_path):
    first, second, third = (attempt(tmp_path, ("copy",), "os._exit(9)") for _ in range(3))
    assert (first[1], second[1], third[1]) == (["a", "b"], ["b"], ["c"])
    assert "b: the process that worked on it was killed twice" in third[2]
    assert Stage(tmp_path, writes=["copy"]).run(sources=[]) == ["b"]


# in the workflow


def times(project):
    """Time of each file that the image stages left of a case, by stage and name."""
    return {
        (folder, path.name.split(".")[0]): path.stat().st_mtime_ns
        for folder in FOLDERS
        for path in sorted(result(project, folder).glob("*/*-????*"))
    }


def images(project, *targets, **config):
    """Run the image stages, or for some targets; say which files of cases are new, by folder."""
    before = times(project)
    until = () if targets else ("--until", "tensors", "cohort", "picture")
    project.snakemake("--cores", "2", *targets, *until, **config)
    new = {}
    for (folder, case), time in times(project).items():
        if before.get((folder, case)) != time:
            new.setdefault(folder, []).append(case)
    return new


def test_a_case_more_in_other_batches_is_the_only_one_made(project):
    more = {"cohorts": "{histo: {simulate: {patients: 7}}}", "cases_per_job": 4}
    assert images(project, **more) == dict.fromkeys(FOLDERS, ["histo-0007"])
    log = result(project, "logs/tensors/histo/2.log").read_text()
    assert "case 3 of 3: histo-0007" in log
    assert log.count("INFO") == 1
    jobs, _ = project.plan(**more)
    assert not set(jobs) & {"simulate", "ingest", "segment", "slices", "tensors", "picture"}


def test_other_batches_alone_make_no_case(project):
    assert images(project, cases_per_job=5) == {}


def test_a_lost_tensor_is_made_again_and_nothing_else(project):
    result(project, "tensors/histo/histo-0002.b2nd").unlink()
    jobs, text = project.plan()
    assert jobs["tensors"] == 1
    assert not set(jobs) & {"simulate", "ingest", "segment", "slices", "picture", "cohort"}
    assert "{'histo-0002': 1}" in text
    assert images(project) == {"tensors": ["histo-0002"]}
    # it is what it was, so nothing follows from it
    assert not project.plan()[0]


def test_an_edit_of_slices_makes_slices_and_what_follows(project):
    project.edit("hepatoclr/slices.py", "fraction / 2 + 1e-9", "fraction / 2 + 2e-9")
    every = [f"{cohort}-000{number}" for cohort in ("histo", "radio") for number in range(1, 7)]
    assert images(project) == dict.fromkeys(("slices", "tensors", "qc"), every)


def test_an_interrupted_job_goes_on(project):
    table = "batches/tensors/histo/1.csv"
    result(project, table).unlink()  # as Snakemake does when a job fails
    result(project, "batches/tensors/histo/histo-0003.made").write_text("")
    assert images(project, f"results/tiny/{table}") == {"tensors": ["histo-0003"]}


DEADLY = """
import os

from hepatoclr.volumes import Volume


def load(model, weights, device):
    def find(ct, mask=None, label=None):
        if int(ct.array.sum(dtype=int)) == {deadly}:
            os._exit(9)
        return Volume((ct.array > 0).astype("uint8"), ct.affine, {{"flags": {{}}}})

    return find
"""


def test_a_case_that_kills_its_job_is_set_aside(tmp_path):
    project = Project(tmp_path)
    table = "results/tiny/batches/segment/histo/1.csv"
    options = {"segment": "{backend: deadly}"}

    def segment():
        project.snakemake("--cores", "1", table, **options)
        return [
            files.read_json(result(project, f"livers/histo/histo-000{number}.json"))
            for number in (1, 2, 3)
        ]

    project.snakemake("--cores", "2", "results/tiny/batches/ingest/histo/1.csv")
    second = volumes.load(result(project, "volumes/histo/histo-0002.nii.gz")).array.sum(dtype=int)
    backend = tmp_path / "hepatoclr/backends/deadly.py"
    backend.write_text(DEADLY.format(deadly=int(second)))
    found = segment()
    assert [cases.SET_ASIDE in one for one in found] == [False, True, False]
    assert "was killed" in found[1][cases.SET_ASIDE]
    assert "Nothing to be done" in project.snakemake("-n", "--cores", "1", table, **options)

    # another backend's code is another mask, of every case
    backend.write_text(DEADLY.format(deadly=0).replace("> 0", "> 10"))
    assert [cases.SET_ASIDE in one for one in segment()] == [False] * 3
