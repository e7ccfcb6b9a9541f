"""`medcost diff`: two published run folders held against each other."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from medcost.difference import compare_runs
from medcost.errors import Fault, InputRejected, quote
from medcost.parquet_input import READ_ERRORS
from medcost.run_folders import read_run_manifest


def published_difference(old: Path, new: Path) -> pa.Table:
    """out_difference of two run folders.

    Raises InputRejected (run-not-found) where one is not a run folder that can be read.
    """
    for run in (old, new):
        if read_run_manifest(run) is None:
            what = f"{quote(str(run))} is not a run folder with a manifest that can be read."
            raise InputRejected([Fault("run-not-found", what, (quote(str(run)),))])
    try:
        return compare_runs(old, new)
    except READ_ERRORS as error:
        what = f"A table of the two runs cannot be read: {error}."
        where = (quote(str(old)), quote(str(new)))
        raise InputRejected([Fault("run-not-found", what, where)]) from None
