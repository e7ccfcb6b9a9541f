"""Options that several commands have, and what they are turned into."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

PERIOD = r"\d{4}-(0[1-9]|1[0-2])"
DEFAULT_MODEL = "three_level_step_down_2021"

Command = TypeVar("Command", bound=Callable[..., Any])


class _OutputFolder(click.Path):
    """A folder to write to; an empty name, of a variable that is not set, is not this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fails on an empty name."""
        if value == "":
            self.fail("name a folder", param, ctx)
        return super().convert(value, param, ctx)


OUTPUT = _OutputFolder(path_type=Path)


def common_options(command: Command) -> Command:
    """--json-log and --quiet, which every command has."""
    command = click.option(
        "--json-log", is_flag=True, help="Log one JSON object a line on standard error."
    )(command)
    return click.option("--quiet", is_flag=True, help="Print errors only.")(command)


def sign_key_option(command: Command) -> Command:
    """--sign-key, which every command has that publishes for good."""
    return click.option(
        "--sign-key",
        type=click.Path(path_type=Path),
        envvar="MEDCOST_SIGN_KEY",
        help="Sign the manifests by this Ed25519 key in PEM.",
    )(command)


def set_up(json_log: bool, quiet: bool) -> None:
    """Let the log go where --json-log and --quiet say."""
    from medcost.messages import set_up_log

    set_up_log(json_log, quiet)


def parse_periods(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    """P, P1..P2 or all: a pair of months, or None for all."""
    if value is None or value == "all":
        return None
    match = re.fullmatch(rf"({PERIOD})(?:\.\.({PERIOD}))?", value)
    if match is None:
        raise click.BadParameter("write YYYY-MM, YYYY-MM..YYYY-MM or all")
    first, last = match.group(1), match.group(3) or match.group(1)
    if first > last:
        raise click.BadParameter(f"{first} comes after {last}")
    return first, last


def chosen_periods(opened: Any, periods: tuple[str, str] | None) -> list[str]:
    """The months asked for; of a range, all; of 'all', those the ledger has."""
    return opened.periods if periods is None else months_of(periods)


def months_of(periods: tuple[str, str]) -> list[str]:
    """Every month of a range."""
    from medcost.book import period_label, period_number

    first, last = (period_number(period) for period in periods)
    return [period_label(number) for number in range(first, last + 1)]


def months_in(tables: Iterable[Any]) -> list[str]:
    """Every well-formed month of the rows of tables, sorted."""
    from medcost.book import is_period

    return sorted({month for rows in tables for month in rows.labels("period") if is_period(month)})


def signer(key: Path | None) -> Any:
    """What signs manifests by a key's file, None without one; fails where it is no key."""
    if key is None:
        return None
    from medcost.signing import KeyUnusable, load_signer

    try:
        return load_signer(key)
    except KeyUnusable as error:
        raise click.BadParameter(str(error), param_hint="--sign-key") from None


def loaded_control(name: str | None) -> Any:
    """The budget control, by default the one that ships."""
    from medcost.variance.control import load_control

    return load_control(name)


def require_own_folder(out: Path | None, run: Path, what: str) -> None:
    """Refuse to write where published runs are."""
    if out is None:
        return
    place, published = out.resolve(), run.resolve()
    if place == published.parent or published in (place, *place.parents):
        raise click.BadParameter(f"{what} goes to a folder of its own", param_hint="--out")
