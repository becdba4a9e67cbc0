"""The cost of a run: added up by stage, of whatever its jobs left."""

import math

import pandas as pd
import pytest

from hepatoclr.base import files, logs
from hepatoclr.reporting import costs

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
CLOCK = "2026-01-01 10:00:00,000 INFO"


def job(run, name, wall="10.00", memory="100.00", sampled="1.00", log=None, core=None):
    """What a job leaves: its benchmark, and its log where it has one."""
    benchmark = f"{wall}\t0:00:10\t{memory}\t0\t0\t0\t0\t0\t0\t{sampled}"
    files.write_text(f"{HEADER}\n{benchmark}\n", run / f"benchmarks/{name}.tsv")
    if log is not None or core:
        last = logs.CORE_TIME.format(total=core[0], start=core[1]) + "\n" if core else ""
        files.write_text((log or "") + last, run / f"logs/{name}.log")


def row(run, stage):
    (found,) = costs.table(run, [stage]).to_dict("records")
    return found


def test_jobs_of_a_stage_are_added_up(tmp_path):
    job(tmp_path, "ingest/histo/a", "12.50", "90.5", core=(4, 1))
    job(tmp_path, "ingest/histo/deep/b", "2.50", "120.4", core=(6, 1.5))
    job(tmp_path, "ingestion/histo/c", "99.00", core=(9, 9))
    assert costs.table(tmp_path, ["ingest"]).equals(
        pd.DataFrame(
            {
                "stage": ["ingest"],
                "jobs": [2],
                "wall_seconds": [15.0],
                "core_seconds": [10.0],
                "start_up_share": [0.25],
                "peak_memory_mb": [120.4],
                "device": [""],
                "samples_per_second": [math.nan],
            }
        )
    )


def test_stages_keep_their_order_and_those_without_jobs_are_left_out(tmp_path):
    for name in ("tables", "cohort/histo", "costs"):
        job(tmp_path, name)
    table = costs.table(tmp_path, ["cohort", "splits", "tables"])
    assert table["stage"].tolist() == ["cohort", "tables"]
    assert costs.table(tmp_path / "nothing", ["cohort"]).empty


def test_without_a_log_the_sampled_core_time_counts_and_no_start_up(tmp_path):
    job(tmp_path, "slices/a", sampled="3.00")
    job(tmp_path, "slices/b", sampled="0.10", core=(4, 1))
    assert row(tmp_path, "slices")["core_seconds"] == 7
    assert row(tmp_path, "slices")["start_up_share"] == 0.25


@pytest.mark.parametrize("odd", ["NA", "-", "", "nan", "inf"])
def test_unknown_numbers_do_not_count(tmp_path, odd):
    job(tmp_path, "slices/a", odd, odd, odd)
    only = row(tmp_path, "slices")
    assert only["jobs"] == 1
    for name in ("wall_seconds", "core_seconds", "start_up_share", "peak_memory_mb"):
        assert math.isnan(only[name]), name
    job(tmp_path, "slices/b", "2.00", "50.00", "1.00")
    assert row(tmp_path, "slices")["wall_seconds"] == 2
    assert row(tmp_path, "slices")["peak_memory_mb"] == 50


def test_half_written_files_break_nothing(tmp_path):
    folder = tmp_path / "benchmarks/slices"
    folder.mkdir(parents=True)
    (folder / "empty.tsv").touch()
    (folder / "header.tsv").write_text(HEADER + "\n")
    (folder / "half.tsv").write_text(f"{HEADER}\n3.00\t0:00:03")
    (folder / "binary.tsv").write_bytes(bytes(range(256)) * 1000)
    (folder / "folder.tsv").mkdir()
    files.write_text("\x00\xff" * 9, tmp_path / "logs/slices/half.log")
    assert row(tmp_path, "slices")["wall_seconds"] == 3
    job(tmp_path, "pretrain/simclr")
    files.write_text("epoch,samples\n1", tmp_path / "encoders/simclr/history.csv")
    files.write_text('{"device": ', tmp_path / "encoders/simclr/metadata.json")
    assert math.isnan(row(tmp_path, "pretrain")["samples_per_second"])
    files.write_text("[]", tmp_path / "encoders/simclr/metadata.json")
    assert row(tmp_path, "pretrain")["device"] == ""


def test_pretraining_is_timed_by_its_history(tmp_path):
    job(tmp_path, "pretrain/simclr", log=f"{CLOCK} {{'samples': 7}}, 1.0 s\n")
    history = pd.DataFrame({"epoch": [1, 2], "samples": [300, 300], "seconds": [3.5, 2.5]})
    files.write_text(history.to_csv(index=False), tmp_path / "encoders/simclr/history.csv")
    files.write_json({"device": "cuda"}, tmp_path / "encoders/simclr/metadata.json")
    assert row(tmp_path, "pretrain")["samples_per_second"] == 100
    assert row(tmp_path, "pretrain")["device"] == "cuda"
    # an earlier history has no times
    text = history.drop(columns="seconds").to_csv(index=False)
    files.write_text(text, tmp_path / "encoders/simclr/history.csv")
    assert row(tmp_path, "pretrain")["samples_per_second"] == 7


def test_fine_tuning_is_timed_by_its_log(tmp_path):
    lines = [
        f"{CLOCK} device NVIDIA H100",
        f"{CLOCK} {{'epoch': 1, 'loss': 0.7, 'learning_rate': 1e-05, 'samples': 128}}, 1.5 s",
        f"{CLOCK} {{'epoch': 2, 'loss': 0.7, 'samples': 128, 'seconds': 0.5}}, 9.9 s",
        f"{CLOCK} {{'epoch': 3, 'loss': 0.7, 'samples': 144}}, 2.",
    ]
    job(tmp_path, "finetune/simclr/repeat1", log="\n".join(lines) + "\n")
    job(tmp_path, "finetune/simclr/repeat2", log=f"{CLOCK} device cpu\n")
    job(tmp_path, "finetune/none/repeat1", log=f"{CLOCK} device cpu\n")
    assert row(tmp_path, "finetune")["samples_per_second"] == 128
    assert row(tmp_path, "finetune")["device"] == "cpu, NVIDIA H100"


def test_a_table_is_read_as_it_was_written(tmp_path):
    job(tmp_path, "slices/a", "NA", "NA", "NA")
    job(tmp_path, "pretrain/simclr", log=f"{CLOCK} device NA\n", core=(8, 2))
    table = costs.table(tmp_path, ["slices", "pretrain"])
    costs.write(table, tmp_path / "cost.csv")
    assert (tmp_path / "cost.csv").read_text().splitlines()[1:] == [
        "slices,1,,,,,,",
        "pretrain,1,10.0,8.0,0.250,100,NA,",
    ]
    pd.testing.assert_frame_equal(costs.read(tmp_path / "cost.csv"), table)
    costs.write(costs.table(tmp_path, []), tmp_path / "empty.csv")
    assert costs.readable(costs.read(tmp_path / "empty.csv")).empty


def test_people_see_units_and_a_total(tmp_path):
    job(tmp_path, "ingest/a", "7200.4", "1500", core=(3723, 0))
    job(tmp_path, "slices/a", "59.7", "NA", core=(1241, 1241))
    job(tmp_path, "slices/b", "NA", "80")
    shown = costs.readable(costs.table(tmp_path, ["ingest", "slices"])).set_index("Stage")
    assert shown["Jobs"].tolist() == ["1", "2", "3"]
    assert shown["Wall time (h:min:s)"].tolist() == ["2:00:00", "0:01:00", "2:01:00"]
    assert shown.loc["ingest", "Core time (h:min:s)"] == "1:02:03"
    assert shown.loc["Total", "Core time (h:min:s)"] == "1:22:45"
    assert shown["Start-up (%)"].tolist() == ["0", "100", "25"]
    assert shown["Peak memory (MB)"].tolist() == ["1,500", "80", "1,500"]
    assert shown["Training (slices/s)"].tolist() == ["", "", ""]
