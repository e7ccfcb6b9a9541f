"""What a run folder keeps beside its result tables: the small tables, the model, the activity.

With them a run can be costed again under other rules, and explained, when the book has long
changed: `kept/book` holds the files of the small tables as they were read, `kept/model.toml` the
model, `kept/activity` the activity matrix and the orders of level 3.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from medcost.allocation_model import LoadedModel
from medcost.array_files import read_arrays, write_arrays
from medcost.book import Book
from medcost.costing.activity import Activity
from medcost.costing.activity_matrix import load_matrix, write_matrix
from medcost.costing.orders import Orders
from medcost.durable_files import syncing
from medcost.file_hashes import files_sha256
from medcost.manifest import FileRecord
from medcost.output_folder import ACTIVITY, BOOK, MODEL

MATRIX, ORDERS = "matrix.arrow", "orders.arrow"


def keep_book(book: Book, loaded: LoadedModel, kept: Path) -> None:
    """Copy the small tables' files and the model; raises OSError."""
    (kept / BOOK).mkdir(parents=True)
    for name, files in book.files.items():
        if name != "service_lines":
            for source in files:
                copy = kept / BOOK / source.label
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source.path, copy)
    (kept / MODEL).write_bytes(loaded.content)


def keep_activity(activity: Activity, kept: Path) -> None:
    """Write the matrix and the orders beside the parts; raises OSError."""
    folder = kept / ACTIVITY
    folder.mkdir(parents=True, exist_ok=True)
    write_matrix(activity.matrix, folder / MATRIX)
    orders = activity.orders
    write_arrays(
        folder / ORDERS,
        {
            "performing": orders.performing,
            "ordering": orders.ordering,
            "quantity": orders.quantity,
            "charge": orders.charge,
        },
    )


def has_activity(kept: Path) -> bool:
    """Whether the run kept its activity."""
    return (kept / ACTIVITY / MATRIX).is_file()


def load_activity(kept: Path, threads: int) -> Activity:
    """The activity of a run, without a look at the lines; raises READ_ERRORS."""
    folder = kept / ACTIVITY
    matrix = load_matrix(folder / MATRIX, sorted(folder.glob("part-*.arrow")), threads)
    arrays, _ = read_arrays(folder / ORDERS)
    return Activity(matrix, Orders(**arrays), (), ())


def record_kept(kept: Path, known: Mapping[str, str] | None = None) -> tuple[FileRecord, ...]:
    """Sync every kept file to disk and say its bytes and SHA-256, sorted by name.

    known: SHA-256 of names that are links to files of a published run: they were hashed and synced
    with it. Raises OSError.
    """
    known = known or {}
    paths = {path.relative_to(kept.parent).as_posix(): path for path in sorted(_files(kept))}
    new = [path for name, path in paths.items() if name not in known]
    # They wait for the disk while this thread hashes.
    with syncing(new):
        digests = dict(zip(new, files_sha256(new), strict=True))
    for digest in digests.values():
        if isinstance(digest, OSError):
            raise digest
    return tuple(
        FileRecord(name, path.stat().st_size, known.get(name) or str(digests[path]))
        for name, path in paths.items()
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
