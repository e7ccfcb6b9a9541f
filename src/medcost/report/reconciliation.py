"""Where every fen of the ledger is: the ledger, all reasons, and the difference, nothing."""

from __future__ import annotations

from medcost.money import format_yuan
from medcost.report.charts import diverging_bars
from medcost.report.columns import element_columns, unit_columns, unit_heading
from medcost.report.figures import Figures
from medcost.report.grid import Column, Grid, Lines
from medcost.report.numbers import ratio, scale_for, visible
from medcost.report.section import BLUE, RED, Picture, Section, in_both
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS, load_table

REASONS = load_table("out_reconciliation").column("reason").values


def by_reason(figures: Figures, unit: str | None = None) -> dict[str, int]:
    """Fen of each reason over all months and elements, in the order of the reasons."""
    sums = figures.tables["reconciliation"].sums(("unit_id", "reason"), ("amount",))
    found = dict.fromkeys(REASONS, 0)
    for (of, reason), (fen,) in sums.items():
        if unit in (None, of):
            found[reason] += fen
    return found


def tie_out(figures: Figures) -> Word:
    """The sentence that the ledger and the sum of all reasons are the same, with the amount."""
    if not figures.runs:
        return word("tie_out.consortium", n=f"{len(figures.results):,}")
    if not figures.has("reconciliation"):
        return word("national.missing")
    amounts = by_reason(figures)
    ledger = amounts.pop("ledger")
    placed = sum(amounts.values())
    key = "tie_out" if is_tied(figures) else "tie_out.broken"
    return word(
        key,
        ledger=format_yuan(ledger),
        placed=format_yuan(placed),
        difference=format_yuan(ledger - placed),
        currency=currency_word(figures),
    )


def is_tied(figures: Figures) -> bool:
    """Whether the ledger is the sum of all reasons in every period, unit and element."""
    keys = ("period", "unit_id", "element", "reason")
    left: dict[tuple[str, ...], int] = {}
    for (*key, reason), (fen,) in figures.tables["reconciliation"].sums(keys, ("amount",)).items():
        place = tuple(key)
        left[place] = left.get(place, 0) + (fen if reason == "ledger" else -fen)
    return not any(left.values())


def currency_word(figures: Figures) -> Word:
    """元 or yuan; the label of another currency as it is."""
    if figures.currency == "CNY":
        return word("yuan")
    label = visible(figures.currency)
    return Word(label, label)


def reconcile(figures: Figures) -> Section:
    """The reconciliation of every unit by reason and element."""
    if not figures.has("reconciliation"):
        return Section("reconciliation", word("reconciliation"), missing=word("national.missing"))
    columns = (
        *unit_columns(),
        Column("reason", word("reason"), is_label=True),
        *element_columns(),
        Column("of_ledger", word("share"), "rate", adds=False),
    )
    rows = figures.tables["reconciliation"].sums(("unit_id", "reason", "element"), ("amount",))
    fen: dict[tuple[str, str], list[int]] = {}
    for (unit, reason, element), (amount,) in rows.items():
        fen.setdefault((unit, reason), [0] * len(ELEMENTS))[ELEMENTS.index(element)] += amount
    lines = Lines(columns)
    of_units = {unit: [r for r in REASONS if (unit, r) in fen] for unit in figures.units}
    for unit, reasons in of_units.items():
        lines.heading(unit_heading(figures, unit), unit, 1)
        ids = (visible(unit), visible(figures.names.unit.get(unit, "")))
        ledger = fen.get((unit, "ledger"), [0] * len(ELEMENTS))
        whole = sum(ledger)
        at = lines.rows(
            [(*ids, word("reason.ledger"), *ledger, whole, share(whole, whole))], unit, 1
        )
        first = lines.rows(
            (
                (
                    *ids,
                    word(f"reason.{reason}"),
                    *fen[unit, reason],
                    sum(fen[unit, reason]),
                    share(sum(fen[unit, reason]), whole),
                )
                for reason in reasons
                if reason != "ledger"
            ),
            unit,
        )
        placed = lines.total(word("placed"), first, unit, 2)
        lines.difference(word("difference"), (at, placed), unit)
    grid = Grid(
        "reconciliation",
        word("reconciliation.table"),
        columns,
        tuple(lines.found),
        (word("reconciliation.note"),),
        rank="total",
        adds_up=False,
        sheet=word("reconciliation.sheet"),
    )
    return Section(
        "reconciliation",
        word("reconciliation"),
        (tie_out(figures),),
        tuple(_pictures(figures)),
        (_together(figures), grid),
    )


def share(fen: int, whole: int) -> int | None:
    """A part of the whole in 1e-6."""
    return ratio(fen, whole, 10**6)


def _together(figures: Figures) -> Grid:
    """The reasons of all units together."""
    columns = (
        Column("reason", word("reason"), is_label=True),
        *element_columns(),
        Column("of_ledger", word("share"), "rate", adds=False),
    )
    rows = figures.tables["reconciliation"].sums(("reason", "element"), ("amount",))
    fen: dict[str, list[int]] = {}
    for (reason, element), (amount,) in rows.items():
        fen.setdefault(reason, [0] * len(ELEMENTS))[ELEMENTS.index(element)] += amount
    ledger = fen.get("ledger", [0] * len(ELEMENTS))
    lines = Lines(columns)
    at = lines.rows(
        [(word("reason.ledger"), *ledger, sum(ledger), share(sum(ledger), sum(ledger)))], level=1
    )
    first = lines.rows(
        (word(f"reason.{r}"), *fen[r], sum(fen[r]), share(sum(fen[r]), sum(ledger)))
        for r in REASONS
        if r in fen and r != "ledger"
    )
    lines.difference(word("difference"), (at, lines.total(word("placed"), first, level=2)))
    return Grid(
        "reconciliation_all",
        word("reconciliation.all"),
        columns,
        tuple(lines.found),
        sheet=word("reconciliation.all_sheet"),
    )


def _pictures(figures: Figures) -> list[Picture]:
    amounts = [(r, fen) for r, fen in by_reason(figures).items() if fen and r != "ledger"]
    if not amounts:
        return []
    scales = scale_for(max(abs(fen) for _, fen in amounts), figures.currency)

    return [
        Picture(
            word("reconciliation.picture", unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
            in_both(
                lambda language: diverging_bars(
                    [(word(f"reason.{r}").of(language), fen) for r, fen in amounts],
                    (BLUE, RED),
                    scales[language].text,
                )
            ),
        )
    ]
