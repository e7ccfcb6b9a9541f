"""An explanation as one page: a picture and four tables, no network, printable on A4."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

from medcost import __version__
from medcost.errors import CannotPublish, count_of, quote_path
from medcost.explanation import Explanation
from medcost.explanation_picture import draw_origins, shown
from medcost.figure_words import ELEMENT_NAMES, FIGURE_NAMES, path_name, share_of
from medcost.money import format_yuan
from medcost.staged_tables import write_table
from medcost.whole_files import replace_file

ROWS, LONG_LABEL = 8, 60
STYLE = """
@page { size: A4; margin: 12mm }
body { font: 12px/1.35 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  color: #222; background: #fff; max-width: 1000px; margin: 12px auto; padding: 0 8px }
h1 { font-size: 18px; margin: 0 } h2 { font-size: 13px; margin: 10px 0 2px }
p { margin: 2px 0 8px } .figure { font-size: 22px; font-weight: bold }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 24px }
table { border-collapse: collapse; width: 100%; break-inside: avoid }
td { border-top: 1px solid #ddd; padding: 1px 4px; vertical-align: top }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.n { width: 1%; padding-left: 12px } tr.sum td { border-top-color: #222 }
td.t { overflow-wrap: anywhere } svg { width: 100%; height: auto; margin: 6px 0 }
h1 { overflow-wrap: anywhere } .balance { border-top: 2px solid #222; padding-top: 4px }
svg text { unicode-bidi: isolate } @media print { body { font-size: 9.5px; margin: 0 } }
"""


def build_page(found: Explanation) -> str:
    """The page as HTML, UTF-8 text of less than 300 kB."""
    question = found.question
    key = (found.units[0], question.label) if question.kind == "dept" else (question.label,)
    name = shown(found.name(question.kind, *key), LONG_LABEL)
    title = f"{FIGURE_NAMES[found.figure]} {shown(question.label, LONG_LABEL)} {name}".strip()
    units = ", ".join(_unit(found, unit) for unit in found.units[:ROWS])
    units += f" … {len(found.units)}" if len(found.units) > ROWS else ""
    about = [f"期间 Period {found.period}", f"单位 Unit {units}"]
    if found.n_cases is not None:
        about.append(f"病例 Cases {found.n_cases:,}")
    if found.scheme:
        about.append(f"分组方案 Scheme {shown(found.scheme, LONG_LABEL)}")
    if question.element:
        about.append(f"仅 Only {ELEMENT_NAMES[question.element]}")
    made = [f"模型 Model {shown(found.model, 2 * LONG_LABEL)}", f"medcost {__version__}"]
    if found.run:
        made.insert(0, f"结果 Run {shown(found.run.removeprefix('run='), LONG_LABEL)}")
    total = sum(found.parts.origins.values())
    postings = count_of(found.parts.n_postings, "posting")
    close = f"合计 The parts of {postings} add up to {format_yuan(total)} yuan."
    published = "公布 Published" if found.run else "所解释的成本 Cost"
    difference = format_yuan(found.fen - total)
    balance = f"{published} {format_yuan(found.fen)} · 差额 Difference {difference}"
    currency = shown(found.currency)
    return "".join(
        [
            '<!doctype html>\n<html lang="zh"><head><meta charset="utf-8">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
            f"<h1><bdi>{escape(title)}</bdi></h1>",
            f'<p><span class="figure">{format_yuan(found.fen)}</span> {escape(currency)}<br>',
            f"<bdi>{escape(' · '.join(about))}</bdi><br>",
            f"<bdi>{escape(' · '.join(made))}</bdi></p>",
            draw_origins(found),
            '<div class="two">',
            *_tables(found),
            "</div>",
            f'<p class="balance"><b>{close}</b> {balance}. {_credits(found)}</p></body></html>\n',
        ]
    )


def _unit(found: Explanation, unit: str) -> str:
    """A unit with its name."""
    return f"{shown(unit)} {shown(found.name('unit', unit), LONG_LABEL)}".strip()


def write_explanation(found: Explanation, out: Path) -> None:
    """Write the tables as Parquet and the page, each whole; raises CannotPublish.

    Nothing that a scheduled job relies on is written here, so files are replaced one by one.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, table in found.tables.items():
            replace_file(out / f"{name}.parquet", partial(write_table, table))
        page = build_page(found)
        replace_file(out / "explanation.html", lambda path: path.write_text(page, "utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        named = quote_path(error.filename or out)
        raise CannotPublish(f"Cannot write {named}: {reason}.") from error


def _credits(found: Explanation) -> str:
    """What the picture cannot show: parts below zero."""
    credit = sum(fen for _, fen in found.origins(0, 1, 2) if fen < 0)
    if not credit:
        return ""
    return f"图中未含贷方 Credits of {format_yuan(credit)} yuan are not drawn. "


def _tables(found: Explanation) -> list[str]:
    """By element, by path, by origin and by service."""
    # Of a single unit there is nothing to tell apart.
    first = 1 if len(found.units) == 1 else 0
    elements = [((ELEMENT_NAMES[key[0]],), fen) for key, fen in found.origins(3)]
    paths = [((path_name(key[0], found.figure),), fen) for key, fen in found.origins(2)]
    origins = [
        (_shown([*key[first:], found.name("dept", *key)]), fen) for key, fen in found.origins(0, 1)
    ]
    parts = [
        _table("按成本项目 By element", elements, found.fen),
        _table("按分摊路径 By path", paths, found.fen),
        _table("按成本来源科室 By department posted to", origins, found.fen),
    ]
    if found.is_of_services:
        services = [
            (_shown([*key[first:], found.name("item", key[2])]), fen)
            for key, fen in found.services(0, 1, 2)
        ]
        parts.append(_table("按服务项目 By service", services, found.fen))
    return parts


def _shown(cells: Sequence[str]) -> tuple[str, ...]:
    """Labels cut; what has no department, an opening or rounding, shows a dash."""
    return tuple(shown(cell, LONG_LABEL) for cell in cells if cell) or ("—",)


def _table(title: str, rows: Sequence[tuple[tuple[str, ...], int]], total: int) -> str:
    lines = [_row(" ".join(cells), fen, total) for cells, fen in rows[:ROWS]]
    rest = rows[ROWS:]
    if rest:
        lines.append(_row(f"其余 {len(rest):,} others", sum(fen for _, fen in rest), total))
    lines.append(_row("合计 Total", sum(fen for _, fen in rows), total, ' class="sum"'))
    return f"<div><h2>{title}</h2><table>{''.join(lines)}</table></div>"


def _row(label: str, fen: int, total: int, style: str = "") -> str:
    return (
        f'<tr{style}><td class="t"><bdi>{escape(label)}</bdi></td>'
        f'<td class="n">{format_yuan(fen)}</td><td class="n">{share_of(fen, total)}</td></tr>'
    )
