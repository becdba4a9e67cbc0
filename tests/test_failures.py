from hepatoclr import failures

PRINTED = """Error in rule linear:
    log: {0}/a b.log, {0}/gone.log (check log file(s) for error details)
Error in rule linear:
    log: {0}/a b.log, {0}/short.log (check log file(s) for error details)
Error in rule pretrain:
    log: {0}/saved.log (check log file(s) for error details)
Trying to restart job 5.
"""


def test_each_log_of_a_job_that_failed_for_good_is_named_once_with_its_last_lines(tmp_path):
    (tmp_path / "a b.log").write_text("\n".join(f"line {number}" for number in range(40)))
    (tmp_path / "short.log").write_text("the reason\x1b[2J\n")
    printed = tmp_path / "snakemake.log"
    printed.write_text(PRINTED.format(tmp_path))
    assert failures.tails([printed]).splitlines() == [
        "",
        f"{tmp_path}/a b.log, last 15 of 40 lines:",
        *(f"    line {number}" for number in range(25, 40)),
        "",
        f"{tmp_path}/gone.log: there is none",
        "",
        f"{tmp_path}/short.log:",
        "    the reason\\x1b[2J",
    ]
