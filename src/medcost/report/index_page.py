"""A page that lists the published months of an output folder and the reports that were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from medcost.money import format_yuan
from medcost.report.figures import Figures
from medcost.report.numbers import visible
from medcost.report.overview import consortium_name, created
from medcost.report.page import page_policy, page_text, template
from medcost.report.page_tables import HeadView
from medcost.report.reconciliation import currency_word
from medcost.report.words import Language, word

MONEY = ("reason.ledger", "difference")
SCRIPT = """"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  document.getElementById("language").addEventListener("click", () => {
    root.lang = root.lang === "en" ? "zh-CN" : "en";
    document.title = root.dataset[root.lang === "en" ? "en" : "zh"];
  });
})();
"""


@dataclass(frozen=True)
class MonthView:
    """One published month: its runs, what the ledger holds, and its own reports."""

    period: str
    units: str
    runs: tuple[str, ...]
    model: str
    created: str
    ledger: str
    difference: str
    reports: tuple[str, ...]


def build_index(figures: Figures, reports: Sequence[str], language: Language) -> str:
    """The page, UTF-8 text; reports: names of files beside it."""
    currency = currency_word(figures)
    months = [_month(figures, period, reports) for period in reversed(figures.periods)]
    named = {file for month in months for file in month.reports}
    style = page_text("page.css")
    heads = (
        ("cover.period", False), ("cover.units", True), ("run", False), ("cover.model", False),
        ("created", False), ("reason.ledger", True), ("difference", True), ("index.reports", False),
    )  # fmt: skip
    title = word("index")
    return template("index.html.j2").render(
        language=language,
        title=title,
        name=consortium_name(figures),
        switch=word("report.language"),
        policy=page_policy(style, SCRIPT),
        style=style,
        script=SCRIPT,
        heads=[
            HeadView(
                word("in_unit", of=word(key), unit=currency) if key in MONEY else word(key),
                is_number,
            )
            for key, is_number in heads
        ],
        rows=months,
        others=[quote(file) for file in reports if file not in named],
        others_title=word("index.others"),
    )


def _month(figures: Figures, period: str, reports: Sequence[str]) -> MonthView:
    runs = [run for run in figures.every_run if run.period == period]
    sums = figures.tables["reconciliation"].sums(("period", "reason"), ("amount",))
    amounts = {reason: fen for (of, reason), (fen,) in sums.items() if of == period}
    ledger = amounts.pop("ledger", 0)
    models = sorted({visible(str(run.manifest["model"]["id"])) for run in runs})
    own = tuple(file for file in reports if file.rsplit(".", 1)[0] == f"report_{period}")
    return MonthView(
        period,
        f"{len({unit for run in runs for unit in run.units}):,}",
        tuple(visible(run.folder.name.removeprefix("run=")) for run in runs),
        ", ".join(models),
        max(created(run) for run in runs),
        format_yuan(ledger),
        format_yuan(ledger - sum(amounts.values())),
        own,
    )
