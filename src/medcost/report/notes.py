"""What runs noted for their readers, in both languages, each note with the months it is of.

Manifests hold notes in English. Those that medcost writes are known here by their form; a note of
another form, as of another version, stands as it is in both languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from medcost.book import period_number
from medcost.report.figures import Figures
from medcost.report.numbers import visible
from medcost.report.words import SEPARATOR, Word, joined, same

KNOWN = (
    (
        r"([\d,]+) driver rows? left aside: closed or own department, or outside the rule's "
        r"receivers",
        "{} 行分摊参数未使用：科室已关闭、为分出科室自身，或不在规则的接受范围内",
    ),
    (r"([\d,]+) chosen units? without a posting: (.*)", "{} 个所选单位没有总账记录：{}"),
    (
        r"([\d,]+) medtech departments? left with cost at level 3: no net services, or charges, "
        r"that a clinical department of the unit ordered",
        "{} 个医疗技术科室在第三级分摊后仍留有成本：本单位临床科室没有向其开单的净服务量或收费",
    ),
    (
        r"the ledger covers (\S+) to (\S+) of the purchase cost of direct items, by unit and "
        r"element",
        "按单位与成本项目，总账金额为直接计入项目采购成本的 {} 至 {}",
    ),
    (
        r"([\d,]+) departments? with a pool and no activity to share it by",
        "{} 个科室有待分配成本，但没有可据以分配的服务量",
    ),
    (r"([\d,]+) chosen units? without a budget row: (.*)", "{} 个所选单位没有预算：{}"),
    (
        r"budget rows left aside but for requests, of units not in this run: (.*)",
        "以下单位不在本批次内，其预算行只用于申报统计：{}",
    ),
    (
        r"budgets of DRG groups left aside: the run stops before groups, in (.*)",
        "以下单位未核算到病组，其病组预算未使用：{}",
    ),
    (r"no year to date: (.*) not published", "没有本年累计：{} 未公布"),
    (
        r"budgets of (.*) differ from what their finer rows add up to; their own counts",
        "以下单位的预算与其明细预算之和不等，以单位预算为准：{}",
    ),
    (r"no variance: the budget has no row of (.*)", "没有预算差异：预算表没有 {} 的行"),
    (r"variance of (.*)", "预算差异所依据的批次：{}"),
)  # fmt: skip


def notes(figures: Figures) -> tuple[Word, ...]:
    """Each note once; of a report of several months with those that have it."""
    found: dict[str, list[str]] = {}
    for run in figures.every_run:
        for note in run.manifest.get("notes", ()):
            found.setdefault(visible(str(note)), []).append(run.period)
    single = len(figures.periods) == 1
    return tuple(
        in_words(note) if single else _of_months(note, sorted(set(at)))
        for note, at in found.items()
    )


def _of_months(note: str, months: Iterable[str]) -> Word:
    said, spans = in_words(note), _spans(months)
    return Word(f"{spans.zh}：{said.zh}", f"{spans.en}: {said.en}")


def in_words(note: str) -> Word:
    """A note in both languages; one that is not known as it is."""
    for pattern, zh in KNOWN:
        match = re.fullmatch(pattern, note)
        if match:
            return Word(zh.format(*match.groups()), note)
    return same(note)


def _spans(months: Iterable[str]) -> Word:
    """Months in order, those without a gap as the first and the last."""
    spans: list[list[str]] = []
    for month in months:
        if spans and period_number(month) == period_number(spans[-1][-1]) + 1:
            spans[-1].append(month)
        else:
            spans.append([month])
    texts = (span[0] if len(span) == 1 else f"{span[0]} – {span[-1]}" for span in spans)
    return joined(SEPARATOR, *map(same, texts))
