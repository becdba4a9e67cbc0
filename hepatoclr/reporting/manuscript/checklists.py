"""Reporting checklists, a YAML file each, answered as far as a run knows the answer.

An item has `item` (its number), `section`, `asks` (what it asks, in our words) and one of

- `answer`, a template over the facts of the run, and `where`, the section or file that holds it.
  If it comes to nothing for a run, the item is left to the author;
- `author: true`: no run can know. `hint`, a template too, may say what the run has for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from hepatoclr.base import files
from hepatoclr.reporting.manuscript import manuscript

FOLDER = Path(__file__).parent
NAMES = ("tripod_ai", "claim", "metrics")
AUTHOR = "author"


@dataclass(frozen=True)
class Line:
    """An item of a checklist for one run: `where` is "author" if the run does not answer it."""

    item: str
    section: str
    asks: str
    answer: str
    where: str


def read(name: str) -> dict:
    """Read a checklist: title, source, items."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def lines(checklist: Mapping, known: Mapping) -> list[Line]:
    """Answer the items of a checklist, in Markdown.

    Args:
        checklist: What `read` returns.
        known: What `manuscript.facts` returns.
    """
    environment = manuscript.environment(manuscript.MARKDOWN)
    filled = []
    for item in checklist["items"]:
        text = item.get("answer") or item.get("hint", "")
        answer = " ".join(environment.from_string(text).render(known).split())
        where = item["where"] if "answer" in item and answer else AUTHOR
        filled.append(Line(str(item["item"]), item["section"], item["asks"], answer, where))
    return filled


def markdown(checklist: Mapping, known: Mapping) -> str:
    """Render a checklist for one run: how much is answered, then a row per item."""
    environment = manuscript.environment(manuscript.MARKDOWN)
    items = lines(checklist, known)
    page = environment.get_template("checklist.j2").render(
        known,
        title=checklist["title"],
        source=checklist["source"],
        lines=items,
        answered=sum(line.where != AUTHOR for line in items),
    )
    return page.strip() + "\n"


def write(known: Mapping, folder: str | Path) -> None:
    """Write all checklists for a run, `checklist_<name>.md`."""
    for name in NAMES:
        files.write_text(markdown(read(name), known), Path(folder, f"checklist_{name}.md"))
