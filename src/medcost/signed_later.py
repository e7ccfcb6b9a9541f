"""What was published without a key, signed by one: every manifest that is as it was published.

A signature stands beside the manifest and is no part of it, so the chain stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path

from medcost.chain import MANIFEST, chained_folders
from medcost.durable_files import sync, write_durably
from medcost.errors import InputRejected, named_errors
from medcost.output_folder import CURRENT, output_folder
from medcost.publish import SIGNATURE, Signer
from medcost.records import dataclass
from medcost.verification import Verifier, verify_folder


@dataclass(frozen=True)
class Signed:
    """How many manifests were signed now and how many had been, and who else's are signed."""

    n_signed: int
    n_before: int
    of_others: tuple[str, ...]


def sign_folder(folder: Path, signer: Signer, is_signed: Verifier, threads: int = 1) -> Signed:
    """Sign every manifest of an output folder, or of one run folder, that is not signed.

    is_signed: whether a signature is the signer's. Raises InputRejected with all faults where
    anything is not as it was published, and signs nothing; or CannotPublish.
    """
    is_one = (folder / MANIFEST).exists()
    if not is_one and not (folder / CURRENT).exists():
        _require_as_published(folder, threads)
    n_signed, n_before, of_others = 0, 0, []
    with output_folder(folder.parent if is_one else folder) as held, named_errors(folder):
        folders = [folder] if is_one else chained_folders(folder)
        contents = {one: content for one in folders if (content := _manifest_of(one)) is not None}
        _require_as_published(folder, threads)
        for one, content in contents.items():
            path = one / SIGNATURE
            if not path.exists():
                staged = held.staging / SIGNATURE
                write_durably(staged, signer(content))
                os.replace(staged, path)
                sync(one)
                n_signed += 1
            elif is_signed(path.read_bytes(), content):
                n_before += 1
            else:
                of_others.append(one.name)
    return Signed(n_signed, n_before, tuple(of_others))


def _require_as_published(folder: Path, threads: int) -> None:
    faults = verify_folder(folder, threads=threads).faults
    if faults:
        raise InputRejected(faults)


def _manifest_of(folder: Path) -> bytes | None:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError:
        # What is verified says so.
        return None
