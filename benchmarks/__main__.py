"""All measurements, one after the other, and one table of them.

    make bench
    python -m benchmarks [--quick] [--source FOLDER] [--only NAME ...]
    python -m benchmarks --table              # of the results there are, without measuring
    python -m benchmarks --fill docs/performance.md

Each runs in a process of its own and leaves benchmarks/results/NAME.json; the table is there as
table.md and table.json. A benchmark that fails is named at the end and does not stop the others.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks import common
from hepatoclr.base import files

SUITES = (
    *("ceiling", "rewrites", "losses", "loading", "augment", "step", "learning", "growth"),
    *("startup", "evaluation"),
)


def page(results: dict[str, dict]) -> str:
    """The machine, and the table, in Markdown."""
    facts, seconds = {}, sum(content["seconds"] for content in results.values())
    for content in results.values():
        facts = {**content["machine"], **facts}
    about = "; ".join(f"{name} {value}" for name, value in facts.items())
    rows = {name: common.rows_of(content) for name, content in results.items()}
    return f"{about}. All of it took {seconds / 60:.0f} minutes.\n\n{common.table(rows)}\n"


def main() -> None:
    """Measure, or only show."""
    parser = common.parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=SUITES, default=SUITES)
    parser.add_argument("--table", action="store_true", help="show, do not measure")
    parser.add_argument("--fill", type=Path, help="page to put the table into; not measured again")
    given, failed = parser.parse_args(), []
    passed = ["--rounds", str(given.rounds), "--seeds", str(given.seeds)]
    passed += ["--quick"] * given.quick
    for name in ("source", "run"):
        passed += [f"--{name}", str(getattr(given, name))] if getattr(given, name) else []
    for name in () if given.table or given.fill else given.only:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *passed]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            failed.append(name)
    results = {name: part for name, part in common.read(given.only).items() if name not in failed}
    quick = [name for name, part in results.items() if "--quick" in part["command"]]
    if quick and given.fill:
        raise SystemExit(f"measured with --quick, which is no result: {', '.join(quick)}")
    text = page(results)
    files.write_text(text, common.RESULTS / "table.md")
    files.write_json(results, common.RESULTS / "table.json")
    if given.fill:
        common.fill(given.fill, text, "measured")
    print(text)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
