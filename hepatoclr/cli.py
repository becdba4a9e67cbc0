"""The command `hepatoclr`: what is done beside a run of Snakemake, or without one."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hepatoclr.base import messages
from hepatoclr.base.errors import UserError

app = typer.Typer(
    help="From raw abdominal CT to result tables: what is done beside a run of Snakemake.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def compare(
    predictions: Annotated[list[Path], typer.Argument(help="CSV files of predictions.")],
    output: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("results/compare"),
) -> None:
    """Make tables, figures and a report of predictions that were made elsewhere.

    Needed are the columns encoder (any name of a model), patient_id, label (0 or 1) and
    probability; docs/guide.md lists the others.
    """
    from hepatoclr.reporting import compare as comparison

    with _user_errors("compare"):
        print(comparison.run(predictions, output))


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a bundle.")],
) -> None:
    """Check an archived run: its files by their digests, its tables from the predictions.

    Nothing is needed but the folder; no CT, and no training. Of a bundle the files are checked.
    """
    from hepatoclr import verify as verification

    with _user_errors("verify"):
        check = verification.bundle if run.is_file() else verification.run
        summary, problems = check(run)
        print(messages.escape_control_characters("\n".join(summary)))
    if problems:
        _fail("verify", problems)


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="The models, a zip file (make bundle).")],
    images: Annotated[list[Path], typer.Argument(help="DICOM folders, zips or NIfTI files.")],
    output: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("results/predict"),
    name: Annotated[list[str] | None, typer.Option(help="What each CT is called.")] = None,
    liver: Annotated[list[Path] | None, typer.Option(help="Mask of each CT's liver.")] = None,
    liver_label: Annotated[int | None, typer.Option(help="The liver's label in the masks.")] = None,
    segment: Annotated[str | None, typer.Option(help="Another backend than the bundle's.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Where that backend's weights lie.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Predict CT by a bundle: a page, a picture and a JSON file of each. For research only.

    Results hold nothing of a patient but the name that you give; without one a CT is case-1, ...
    """
    from hepatoclr.prediction import by_hand

    with _user_errors("predict"):
        output.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=output / "predict.log")
        logging.getLogger("hepatoclr").setLevel(logging.INFO)
        found = by_hand.run(
            bundle,
            images,
            output,
            by_hand.named(images, name),
            livers=liver,
            label=liver_label,
            backend=segment,
            weights=weights,
            device=device,
        )
    for one in found:
        print(messages.escape_control_characters(by_hand.summary(one)))
    print(f"pages, pictures and numbers: {output}/")
    if any("refused" in one for one in found):
        sys.exit(1)


@app.command()
def docs(
    project: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
) -> None:
    """Write the pages that are generated from the schemas and the pins."""
    from hepatoclr.reporting import documentation

    with _user_errors("docs"):
        for path, text in documentation.pages(project).items():
            path.write_text(text, encoding="utf-8")


@contextmanager
def _user_errors(command: str) -> Iterator[None]:
    """End with the message alone, where the user can correct the cause."""
    try:
        yield
    except (UserError, OSError) as error:
        _fail(command, [str(error)])


def _fail(command: str, problems: list[str]) -> NoReturn:
    for problem in problems:
        print(messages.escape_control_characters(f"{command}: {problem}"), file=sys.stderr)
    sys.exit(1)
