"""Reading the published examples: they stay where they are, outside the project."""

import csv
import re
from pathlib import Path

EXAMPLES = Path("oracles") / "worked_examples.md"


def section(shared: Path, name: str) -> str:
    """Return the text of the example with this letter, such as `C`."""
    text = (shared / EXAMPLES).read_text(encoding="utf-8")
    heads = re.split(r"^#{3,4} ", text, flags=re.MULTILINE)
    (found,) = [part for part in heads if re.match(rf"{name}( —|\.)", part)]
    return found


def table(shared: Path, name: str) -> dict[str, dict[str, str]]:
    """Return the table of an example: first cell, without its mark → head → cell."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(shared, name).splitlines()
        if line.startswith("|")
    ]
    head, _, *body = rows
    return {row[0].strip("*"): dict(zip(head, row, strict=True)) for row in body}


def printed(shared: Path, name: str) -> list[float]:
    """Return every number of an example's text below its table, in the order of the print."""
    lines = [line for line in section(shared, name).splitlines()[1:] if not line.startswith("|")]
    return [
        float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*\.?\d*", " ".join(lines))
    ]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
