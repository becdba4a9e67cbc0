"""Does it work? Simulated studies of the paper's shape, with a truth that is known.

    python -m benchmarks.positive_control --plan        # the cells, and what they will cost
    python -m benchmarks.positive_control               # run what is missing; stop it at any time
    python -m benchmarks.positive_control --only methods --seeds 1 2 --budget-minutes 60
    python -m benchmarks.positive_control --summarise   # figures and docs/does-it-work.md only

Each cell, one set of labels of one simulated cohort, is an ordinary run of Snakemake with the
preset `positive-control`. When it has ended it adds its rows to
benchmarks/results/positive_control.csv; a cell whose rows are there, of the same settings and the
same code, is passed over. Cells of two data seeds run at once, on a core each.
"""

import argparse
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from benchmarks import common
from benchmarks.positive_control import cells, figures, page, run, table

PAGE = cells.ROOT / "docs/does-it-work.md"
IMAGES = cells.ROOT / "docs/images"
SCRATCH = common.RESULTS / "positive_control"


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--only", nargs="+", choices=cells.GROUPS, default=list(cells.GROUPS))
    made.add_argument("--seeds", nargs="+", type=int, default=list(cells.SEEDS), help="data seeds")
    made.add_argument("--training-seeds", nargs="+", type=int, default=[1])
    made.add_argument("--finetune", nargs="*", default=[], help="encoders to fine-tune too")
    made.add_argument("--budget-minutes", type=float, help="begin no cell that would not fit")
    made.add_argument("--any-code", action="store_true", help="rows of other code count as done")
    made.add_argument("--at-once", type=int, default=2, help="cells that run at once (2)")
    made.add_argument("--cores", type=int, default=1, help="cores of each (1)")
    made.add_argument("--scratch", type=Path, default=SCRATCH, help="folder of the runs")
    made.add_argument("--quick", action="store_true", help="tiny sizes: shows that all runs")
    made.add_argument("--plan", action="store_true", help="print the cells and costs, run nothing")
    made.add_argument("--summarise", action="store_true", help="figures and the page, run nothing")
    return made


def missing(plan: cells.Plan, given: argparse.Namespace) -> list[cells.Cell]:
    """The cells that are not done."""
    done = table.read(run.tables(plan, given.scratch)[0])
    return [cell for cell in plan.work if not cells.is_done(cell, plan, done, given.any_code)]


def costs(plan: cells.Plan, given: argparse.Namespace) -> Iterator[tuple[cells.Cell, float]]:
    """Each missing cell with its core seconds; images are made by the first of a data seed."""
    there: dict[int, int] = {}
    for cell in missing(plan, given):
        place = run.folder(given.scratch, cell, plan.quick)
        simulated = there.get(cell.data_seed, place.simulated())
        yield cell, cells.core_seconds(cell, plan, simulated)
        there[cell.data_seed] = max(simulated, cells.all_patients(cell, plan))


def show(plan: cells.Plan, given: argparse.Namespace) -> None:
    """Print the missing cells with their costs."""
    total = 0.0
    for cell, cost in costs(plan, given):
        total += cost
        print(f"{run.describe(cell)}: {', '.join(plan.work[cell])}; {cost / 60:.0f} core minutes")
    cores = given.at_once * given.cores
    print(
        f"{len(missing(plan, given))} of {len(plan.work)} cells to do, {total / 3600:.1f} core "
        f"hours, {total / 3600 / cores:.1f} hours on {cores} cores"
    )


def work(plan: cells.Plan, given: argparse.Namespace) -> list[str]:
    """Run the missing cells while the budget lasts; gives what failed."""
    waiting, failed = dict(costs(plan, given)), []
    running: dict[Future, cells.Cell] = {}
    end = time.monotonic() + 60 * (given.budget_minutes or float("inf"))
    with ThreadPoolExecutor(given.at_once) as pool:
        while True:
            while len(running) < given.at_once:
                left = (end - time.monotonic()) * given.cores
                cell = following(waiting, {one.data_seed for one in running.values()}, left)
                if cell is None:
                    break
                minutes = waiting.pop(cell) / 60
                print(f"{run.describe(cell)}: about {minutes:.0f} core minutes", flush=True)
                running[pool.submit(run.run, cell, plan, given.scratch, given.cores)] = cell
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell, error = running.pop(future), future.exception()
                if isinstance(error, run.CodeChanged):  # nor would the others be of this code
                    waiting = {}
                if error:
                    failed.append(f"{run.describe(cell)}: {error}")
                    print(failed[-1], file=sys.stderr, flush=True)
    if waiting:
        print(f"{len(waiting)} cells do not fit in the budget any more")
    return failed


def following(
    waiting: Mapping[cells.Cell, float], busy: Collection[int], left: float
) -> cells.Cell | None:
    """The next cell to begin.

    Args:
        waiting: Core seconds of each cell, in the order in which they should run.
        busy: Data seeds of which a cell runs: they share a folder.
        left: Core seconds that a cell may take.
    """
    fit = (cell for cell, cost in waiting.items() if cost <= left and cell.data_seed not in busy)
    return next(fit, None)


def summarise() -> None:
    """Draw the figures, and write the measured part of the page."""
    found = table.read()
    drawn = [] if found.empty else figures.draw(found, IMAGES)
    paths = [str(path.relative_to(PAGE.parent)) for path in drawn]
    common.fill(PAGE, page.section(found, table.read_probes(), paths), "study")


def main() -> None:
    """Plan, run, summarise."""
    given = parser().parse_args()
    more = {"training_seeds": given.training_seeds, "finetune": given.finetune}
    plan = cells.plan(given.only, given.seeds, given.quick, **more)
    if given.plan:
        show(plan, given)
        return
    failed = [] if given.summarise else work(plan, given)
    if not given.quick:
        summarise()
    if failed:
        raise SystemExit(f"{len(failed)} cells failed")


if __name__ == "__main__":
    main()
