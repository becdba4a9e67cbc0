"""How long the paper's run would take on some GPUs: computed from its parts, not measured.

    python -m benchmarks.estimate [--gpus 1 8 64] [--repeats 1] [--slices 50] ...

Each stage waits for the one before. One takes the time of all its jobs over the jobs that run at
once, and never less than one job: a training uses one GPU.
"""

import argparse
from dataclasses import dataclass

from benchmarks import ours
from hepatoclr.learning import experiment

GFLOP = 101  # a training view of 512x512, forward and backward: docs/performance.md
VIEWS = {"supervised": 1, "simclr": 2, "supcon": 2, "weak_simclr": 3}
RADIO, HISTO = 2799, 106
COMPILING_S = 35  # of each training: Python, PyTorch, and compilation


@dataclass(frozen=True)
class Stage:
    """Jobs that can run at the same time.

    Attributes:
        jobs: Seconds of each.
        on: What a job takes one of: "GPU" or "core".
    """

    name: str
    jobs: list[float]
    on: str

    def wall(self, places: int) -> float:
        """Seconds on so many GPUs or cores, the longest jobs first."""
        ends = [0.0] * places
        for job in sorted(self.jobs, reverse=True):
            first = ends.index(min(ends))
            ends[first] += job
        return max(ends)


def stages(given: argparse.Namespace) -> list[Stage]:
    """The stages of the paper's run that take long."""
    config = ours.config(ours.PAPER)
    compared, evaluation, cases = config["experiment"], config["evaluation"], RADIO + HISTO
    named = {key: compared[key] for key in ("methods", "betas", "beta")}
    trained = experiment.pretrained(**named)

    def training(section: str, patients: float, views: int) -> float:
        recipe = config[section]
        steps = recipe["epochs"] * int(patients * given.slices // recipe["batch_size"])
        flop = steps * recipe["batch_size"] * views * GFLOP * 1e9
        return COMPILING_S + flop / (given.peak_tflops * 1e12 * given.share_of_peak)

    folds = evaluation["folds"] * given.repeats
    known = HISTO * (1 - 1 / evaluation["folds"])
    shares = [share for share in compared["fractions"] if share < 1]
    curve = [training("finetune", share * known, 1) for share in shares]
    tuned = [training("finetune", known, 1)] * (len(trained) + 1)
    return [
        Stage("ingest", [given.ingest_s] * cases, "core"),
        Stage("segment", [given.segment_s] * cases, "GPU"),
        Stage("slices, tensors, qc_image", [given.rest_s] * cases, "core"),
        Stage(
            "pretrain",
            [training("pretraining", RADIO, VIEWS[spec["method"]]) for spec in trained.values()],
            "GPU",
        ),
        Stage("features", [given.features_s] * (len(trained) + 1), "GPU"),
        Stage("finetune, learning_curve", (tuned + curve) * folds, "GPU"),
        Stage("linear", [given.linear_s] * (len(trained) + 1) * folds, "core"),
        Stage("explain, tables and all else", [given.end_s] * 6, "core"),
    ]


def table(given: argparse.Namespace) -> str:
    """Hours by stage and number of GPUs, in Markdown."""
    found = stages(given)
    lines = [["stage", "jobs", "longest job", "all jobs", *(f"{n} GPU" for n in given.gpus)]]
    lines += [["---"] * len(lines[0])]
    totals = [0.0] * len(given.gpus)
    for stage in found:
        places = [n * (given.cores if stage.on == "core" else 1) for n in given.gpus]
        walls = [stage.wall(count) for count in places]
        totals = [total + wall for total, wall in zip(totals, walls, strict=True)]
        longest, together = max(stage.jobs), sum(stage.jobs)
        what = [f"{longest / 60:.0f} min", f"{together / 3600:.1f} {stage.on} h"]
        count = str(len(stage.jobs))
        lines.append([stage.name, count, *what, *(f"{wall / 3600:.2f} h" for wall in walls)])
    lines.append(
        ["all, one after the other", "", "", "", *(f"{one / 3600:.1f} h" for one in totals)]
    )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Read what is assumed from the command line; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64], help="how many")
    parser.add_argument("--cores", type=int, default=8, help="CPU cores for each GPU")
    parser.add_argument("--peak-tflops", type=float, default=989, help="of a GPU, half precision")
    parser.add_argument("--share-of-peak", type=float, default=0.35, help="that a training reaches")
    parser.add_argument("--slices", type=int, default=50, help="kept of a case")
    parser.add_argument("--repeats", type=int, default=1, help="of the cross-validation")
    parser.add_argument("--segment-s", type=float, default=30, help="GPU seconds of a case")
    parser.add_argument("--ingest-s", type=float, default=3, help="core seconds of a case")
    parser.add_argument("--rest-s", type=float, default=5, help="core seconds of a case")
    parser.add_argument("--features-s", type=float, default=60, help="seconds of an encoder")
    parser.add_argument("--linear-s", type=float, default=60, help="core seconds of a job")
    parser.add_argument("--end-s", type=float, default=600, help="core seconds of a job at the end")
    print(table(parser.parse_args()))


if __name__ == "__main__":
    main()
