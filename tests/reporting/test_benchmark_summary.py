"""What jobs took, added up by stage."""

import math

from hepatoclr.reporting import benchmark_summary

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def job(folder, name, *rows):
    path = folder / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(rows))


def row(wall, memory, cpu):
    return f"{wall}\t0:00:00\t{memory}\t1\t1\t1\t0\t0\t0\t{cpu}\n"


def test_jobs_are_added_up_by_stage(tmp_path):
    job(tmp_path, "ingest/radio/0001", row(2.04, 90, 1.5))
    job(tmp_path, "ingest/histo/0002", row(1, 120.26, 0.5))
    job(tmp_path, "tables", row(6, 300, 5))
    found = benchmark_summary.table(tmp_path, ["ingest", "segment", "tables"])
    assert found.to_dict("list") == {
        "stage": ["ingest", "tables"],
        "jobs": [2, 1],
        "wall_seconds": [3.0, 6.0],
        "cpu_seconds": [2.0, 5.0],
        "peak_memory_mb": [120.3, 300.0],
    }


def test_what_was_not_measured_is_missing(tmp_path):
    job(tmp_path, "slices/histo/0001", row(0.1, "NA", "-"))
    job(tmp_path, "slices/histo/0002", row(0.2, "NA", 3))
    job(tmp_path, "splits")  # killed before its row was written
    slices, splits = benchmark_summary.table(tmp_path, ["slices", "splits"]).to_dict("records")
    assert (slices["jobs"], slices["wall_seconds"], slices["cpu_seconds"]) == (2, 0.3, 3.0)
    assert math.isnan(slices["peak_memory_mb"])
    assert splits["jobs"] == 1
    assert math.isnan(splits["wall_seconds"])


def test_a_job_counts_by_its_last_run(tmp_path):
    job(tmp_path, "figures", row(5, 1, 5), row(7, 2, 6))
    assert benchmark_summary.table(tmp_path, ["figures"])["wall_seconds"].tolist() == [7.0]
