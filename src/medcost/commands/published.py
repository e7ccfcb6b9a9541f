"""Commands on what was published: explain, variance, report, diff, verify, sign."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from medcost.commands.endings import REJECTED, UNBALANCED, end
from medcost.commands.options import (
    OUTPUT,
    PERIOD,
    common_options,
    loaded_control,
    months_of,
    parse_periods,
    require_own_folder,
    set_up,
    signer,
)
from medcost.tables import ELEMENTS


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--drg", help="A DRG group: its costed cases.")
@click.option("--item", help="A service item, in all departments that perform it.")
@click.option("--dept", help="A department: its full cost.")
@click.option(
    "--unit", default="", help="Only this unit; needed where two share a department's id."
)
@click.option("--scheme", default="", help="Of two groups with one id, the one of this scheme.")
@click.option("--period", help="YYYY-MM; needed where several months are published.")
@click.option("--element", type=click.Choice(ELEMENTS), help="Only this element of cost.")
@click.option("--out", type=OUTPUT, help="Write explanation.parquet and .html here.")
@common_options
def explain(
    folder: Path,
    drg: str | None,
    item: str | None,
    dept: str | None,
    unit: str,
    scheme: str,
    period: str | None,
    element: str | None,
    out: Path | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Trace a published figure of FOLDER back to the ledger: one of --drg, --item, --dept."""
    from medcost.explanation import explain as explain_figure
    from medcost.figure_found import Question
    from medcost.kept_run import load_run, only_run

    set_up(json_log, quiet)
    named = [
        (kind, label) for kind, label in (("drg", drg), ("item", item), ("dept", dept)) if label
    ]
    if len(named) != 1:
        raise click.UsageError("Name one of --drg, --item and --dept.")
    if scheme and not drg:
        raise click.UsageError("--scheme goes with --drg: nothing else has one.")
    if period is not None and not re.fullmatch(PERIOD, period):
        raise click.BadParameter("write YYYY-MM", param_hint="--period")
    require_own_folder(out, only_run(folder, period, unit or None), "an explanation")
    question = Question(*named[0], unit, scheme, element or "")
    run = load_run(folder, period, unit or None, os.cpu_count() or 1, question.stage)
    found = explain_figure(run, question)
    if out is not None:
        from medcost.explanation_page import write_explanation

        write_explanation(found, out)
    if not quiet:
        from medcost.terminal import make_console
        from medcost.terminal_costs import show_explanation

        show_explanation(make_console(), found)
        if out is not None:
            click.echo(f"written to {out}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--budget",
    "file",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A Parquet file, or a folder of them, in the schema of the table budget.",
)
@click.option("--budget-control", "control", help="Another policy than the one that ships: a file.")
@click.option(
    "--period",
    "periods",
    callback=parse_periods,
    help="P, P1..P2 or all (default): what is published and budgeted.",
)
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option("--out", type=OUTPUT, help="Publish the tables here.")
@common_options
def variance(
    folder: Path,
    file: Path,
    control: str | None,
    periods: tuple[str, str] | None,
    units: tuple[str, ...],
    out: Path | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Hold the published costs of FOLDER against a budget."""
    from medcost import variance_run
    from medcost.messages import LOG
    from medcost.output_folder import output_folder
    from medcost.result_tables import as_written
    from medcost.run_folders import published_runs
    from medcost.terminal import make_console, show_files
    from medcost.terminal_variance import show_variance

    set_up(json_log, quiet)
    policy = loaded_control(control)
    runs = variance_run.runs_in(folder)
    if out is not None and out.resolve() in _folders_of(folder, runs):
        raise click.BadParameter("variances go to a folder of their own", param_hint="--out")
    budget = variance_run.read_budget(file)
    wanted = None
    if periods is not None:
        wanted = months_of(periods)
    chosen = variance_run.periods_chosen(runs, published_runs(folder), budget, wanted)
    found = variance_run.vary(runs, budget, policy, chosen, units or None)
    placed: list[Any] = []
    if out is not None:
        with output_folder(out) as held:
            placed = variance_run.publish_variances(found, held, budget, policy)
    for varied in found:
        LOG.info("variance", extra={"fields": variance_run.log_fields(varied)})
        for note in varied.variance.notes:
            LOG.warning("%s: %s", varied.variance.period, note)
    if not quiet:
        console = make_console()
        for varied in found:
            one = varied.variance
            tables = {name: as_written(table) for name, table in one.tables.items()}
            show_variance(console, one.period, tables)
        for place in placed:
            show_files(console, out / place.folder.name, place.is_new)
    summary = variance_run.summary_of(found, placed)
    verdict = "published" if placed else "shown"
    LOG.info(summary, extra={"fields": {"event": "summary", "verdict": verdict, "exit_code": 0}})
    if not quiet:
        click.echo(summary)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--lang",
    "language",
    type=click.Choice(["zh", "en"]),
    default="zh",
    show_default=True,
    help="Language of the workbook, and in which the page opens; the page has both.",
)
@click.option("--out", type=OUTPUT, help="Default: the folder reports beside the runs.")
@click.option("--period", "periods", callback=parse_periods, help="P, P1..P2 or all (default).")
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option("--index", is_flag=True, help="Also write index.html, which lists published months.")
@common_options
def report(
    folder: Path,
    language: Any,
    out: Path | None,
    periods: tuple[str, str] | None,
    units: tuple[str, ...],
    index: bool,
    json_log: bool,
    quiet: bool,
) -> None:
    """Make a page and a workbook of the published results of FOLDER."""
    from medcost.report.figures import read_figures
    from medcost.report.files import default_place, write_index, write_report
    from medcost.report.reconciliation import tie_out

    set_up(json_log, quiet)
    figures = read_figures(folder, periods, units)
    place = out or default_place(folder)
    written = write_report(figures, place, language)
    if index:
        all_months = read_figures(folder, None, (), ("reconciliation",))
        written.append(write_index(all_months, place, language))
    if not quiet:
        click.echo(tie_out(figures).of(language))
        for file in written:
            click.echo(f"written to {file}")


def _folders_of(folder: Path, runs: Any) -> set[Path]:
    """Folders that a variance must not be published to: the one it reads, and its runs."""
    every = {folder.resolve()} | {
        run.resolve() for units in runs.values() for run in units.values()
    }
    return every | {run.parent for run in every if run.name.startswith("run=")}


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--out", type=OUTPUT, help="Write difference.parquet here.")
@common_options
def diff(run_a: Path, run_b: Path, out: Path | None, json_log: bool, quiet: bool) -> None:
    """Show which table, key and column of two run folders differ, old and new."""
    from medcost.errors import named_errors
    from medcost.published_difference import published_difference
    from medcost.staged_tables import described, write_table
    from medcost.terminal import make_console
    from medcost.terminal_costs import show_difference

    set_up(json_log, quiet)
    found = published_difference(run_a, run_b)
    if out is not None:
        with named_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            write_table(described("difference", found), out / "difference.parquet")
    if not quiet:
        show_difference(make_console(), found, run_a.name, run_b.name)
        if out is not None:
            click.echo(f"written to {out}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--public-key",
    type=click.Path(path_type=Path),
    envvar="MEDCOST_PUBLIC_KEY",
    help="Every manifest must be signed by the owner of this Ed25519 key in PEM.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@common_options
def verify(
    folder: Path, public_key: Path | None, threads: int | None, json_log: bool, quiet: bool
) -> None:
    """Hold every byte of an output FOLDER against its manifests, their chain and the balances."""
    from medcost.messages import LOG, show_faults
    from medcost.signing import KeyUnusable, load_verifier
    from medcost.verification import UNBALANCED_CODE, verify_folder

    set_up(json_log, quiet)
    try:
        verifier = load_verifier(public_key) if public_key else None
    except KeyUnusable as error:
        raise click.BadParameter(str(error), param_hint="--public-key") from None
    found = verify_folder(folder, verifier, threads or os.cpu_count() or 1)
    if found.faults:
        show_faults(found.faults, json_log, closing="Nothing was changed.")
        codes = {fault.code for fault in found.faults}
        is_unbalanced = UNBALANCED_CODE in codes
        end(UNBALANCED if is_unbalanced else REJECTED, "unbalanced" if is_unbalanced else "changed")
    for note in found.notes:
        LOG.warning(note, extra={"fields": {"event": "note"}})
    if not quiet:
        click.echo(f"{found.summary}: as published, chained and balanced.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--sign-key",
    "key",
    type=click.Path(path_type=Path),
    envvar="MEDCOST_SIGN_KEY",
    required=True,
    help="Sign by this Ed25519 key in PEM.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@common_options
def sign(folder: Path, key: Path, threads: int | None, json_log: bool, quiet: bool) -> None:
    """Sign what FOLDER has published without a key, if every byte of it is as published."""
    from medcost.errors import count_of
    from medcost.messages import LOG
    from medcost.signed_later import sign_folder
    from medcost.signing import KeyUnusable, load_own_verifier

    set_up(json_log, quiet)
    by_key = signer(key)
    try:
        verifier = load_own_verifier(key)
    except KeyUnusable as error:
        raise click.BadParameter(str(error), param_hint="--sign-key") from None
    done = sign_folder(folder, by_key, verifier, threads or os.cpu_count() or 1)
    for name in done.of_others:
        LOG.warning("%s is signed by another key and stays so", name)
    summary = f"{count_of(done.n_signed, 'manifest')} signed, {done.n_before} signed before"
    LOG.info(summary, extra={"fields": {"event": "summary", "verdict": "signed", "exit_code": 0}})
    if not quiet:
        click.echo(summary)
