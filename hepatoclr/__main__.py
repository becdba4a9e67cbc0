"""`python -m hepatoclr`, the command where the package is not installed."""

from hepatoclr.cli import app

app(prog_name="hepatoclr")
