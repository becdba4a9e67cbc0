"""The command `hepatoclr`: what is done beside a run of Snakemake, or without one."""

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
    run: Annotated[Path, typer.Argument(help="Folder of a run, with its provenance.json.")],
) -> None:
    """Check an archived run: its files by their digests, its tables from the predictions.

    Nothing is needed but the folder; no CT, and no training.
    """
    from hepatoclr import verify as verification

    with _user_errors("verify"):
        summary, problems = verification.run(run)
        print(messages.escape_control_characters("\n".join(summary)))
    if problems:
        _fail("verify", problems)


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
