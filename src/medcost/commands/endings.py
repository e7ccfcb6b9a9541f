"""How a command ends: exit codes, and what is said of them."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

REJECTED, UNBALANCED, UNPUBLISHED = 3, 4, 5


def show_error(code: str, what: str, why: str, fix: str) -> None:
    """An error that is no fault of a book, in the form of one, on standard error."""
    from medcost.messages import LOG, set_up_log

    if "--json-log" in sys.argv:
        set_up_log(json_log=True, quiet=False)
        LOG.error(what, extra={"fields": {"code": code, "why": why, "fix": fix}})
    else:
        click.echo(f"[{code}] {what}\n  why    {why}\n  fix    {fix}", err=True)


def end(code: int, verdict: str) -> NoReturn:
    """Say in the log how the command ended, and end it."""
    if "--json-log" in sys.argv:
        from medcost.messages import LOG

        fields = {"event": "summary", "verdict": verdict, "exit_code": code}
        LOG.error(verdict, extra={"fields": fields})
    sys.exit(code)
