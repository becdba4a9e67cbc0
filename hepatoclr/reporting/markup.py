"""Tables and text as Markdown and LaTeX: whatever comes from the run is escaped."""

import re

from hepatoclr.reporting.layouts import Cell, Layout

TEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"\textpm{}", "β": r"$\beta$", "\N{MINUS SIGN}": "$-$", "<": "$<$"}
    | {"\N{DAGGER}": r"\textdagger{}"}
)
WIDEST = 6  # columns that fit a page at its own size


def one_line(text: str) -> str:
    """Give text without line breaks and other control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_markdown(text: str) -> str:
    """Escape text, so that it is nothing but text in Markdown, on one line."""
    escaped = re.sub(r"([\\`*_\[\]{}#|~$!^@])", r"\\\1", one_line(text))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?i)(:)(//)|(www)(\.)", r"\1\3\\\2\4", escaped)  # no links by themselves


def markdown(readable: Layout, caption: str) -> str:
    """Render a layout as a Markdown table, aligned for reading as plain text too."""
    heads = [readable.heading, *(" ".join(column) for column in readable.columns)]
    grid = [list(map(plain_markdown, heads))]
    for name, cells in readable.rows:
        grid.append([plain_markdown(name), *map(_markdown_cell, cells)])
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    grid.insert(1, ["-" * width for width in widths])
    lines = [f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in grid]
    body = ["\n".join(lines)] if readable.rows else []
    return "\n\n".join([caption, *body, *readable.notes]) + "\n"


def _markdown_cell(cell: Cell) -> str:
    value = f"**{cell.value}**" if cell.best else cell.value
    paper = f"({cell.paper})" if cell.paper else ""
    return " ".join(filter(None, [value, cell.interval, paper])).replace("|", r"\|")


def latex(readable: Layout, caption: str) -> str:
    """Render a layout as a LaTeX table (booktabs): below each row its intervals and the paper's.

    A table of many columns is shrunk to the width of the text (graphicx).
    """
    wide = len(readable.columns) > WIDEST
    lines = [r"\begin{table}[tb]", r"\centering", rf"\caption{{{caption.translate(TEX)}}}"]
    if readable.rows:
        lines += [r"\resizebox{\linewidth}{!}{%"] * wide + _tabular(readable) + ["}"] * wide
    lines += [r"\par\smallskip\footnotesize"]
    lines += [note.translate(TEX) for note in readable.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _kept_apart(row: str) -> str:
    """Keep a row from being read as an option of the line break before it."""
    return "{}" + row if row.startswith(("[", "*")) else row


def _tabular(readable: Layout) -> list[str]:
    """The lines of the table itself."""
    groups, rules, start = "", "", 2
    for measure, span in readable.measures.items():
        groups += rf" & \multicolumn{{{span}}}{{c}}{{{measure.translate(TEX)}}}"
        rules += rf"\cmidrule(lr){{{start}-{start + span - 1}}}"
        start += span
    names = "".join(f" & {name.translate(TEX)}" for _, name in readable.columns)
    body = []
    for name, cells in readable.rows:
        values = [cell.value.translate(TEX) for cell in cells]
        marked = [rf"\textbf{{{v}}}" if c.best else v for v, c in zip(values, cells, strict=True)]
        body.append([name.translate(TEX), *marked])
        if any(cell.interval for cell in cells):
            # Braces, for after a line break LaTeX takes a square bracket as a length.
            body.append(["", *(f"{{{cell.interval.translate(TEX)}}}" for cell in cells)])
        if any(cell.paper for cell in cells):
            papers = [rf"\textit{{{c.paper.translate(TEX)}}}" if c.paper else "" for c in cells]
            body.append([r"\quad \textit{paper}", *papers])
    return [
        rf"\begin{{tabular}}{{l{'c' * len(readable.columns)}}}",
        r"\toprule",
        rf"{groups.strip()} \\",
        rules,
        rf"{readable.heading.translate(TEX)}{names} \\",
        r"\midrule",
        *(_kept_apart(" & ".join(row)) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
