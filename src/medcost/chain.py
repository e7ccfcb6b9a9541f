"""The chain of manifests: each holds the SHA-256 of the one that was written before it.

Whoever changes, removes or inserts a manifest would have to write every later one anew. The chain
runs over all runs, restatements and turns of an output folder in the order in which they were
placed there; a run folder that is written again, because it was damaged, keeps its place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medcost.records import dataclass

MANIFEST = "manifest.json"
RUN, RESTATEMENT, TURN = "run=", "restatement=", "turn="
# The chain stands first in a manifest, so that its number is found without reading the rest.
HEAD_BYTES = 200
_NUMBER = re.compile(rb'\A\{\s*"chain": \{\s*"number": (\d{1,15}),')


@dataclass(frozen=True)
class Link:
    """One manifest of the chain.

    name: its folder's; sha256: of the manifest's bytes; replaces: SHA-256 of manifests that stood
    in its place before; previous, previous_sha256: the one before it, None for the first.
    """

    name: str
    number: int
    sha256: str
    replaces: tuple[str, ...] = ()
    previous: str | None = None
    previous_sha256: str | None = None


def chained_folders(out: Path) -> list[Path]:
    """Folders of runs, restatements and turns in an output folder, by name."""
    kinds = (RUN, RESTATEMENT, TURN)
    return sorted(path for path in out.iterdir() if path.name.startswith(kinds) and path.is_dir())


def read_link(folder: Path) -> Link | None:
    """A folder's link of the chain; None where its manifest has none that can be read."""
    try:
        content = (folder / MANIFEST).read_bytes()
        return link_of(folder.name, content, json.loads(content))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def link_of(name: str, content: bytes, manifest: dict[str, Any]) -> Link:
    """The link in a manifest that was read; raises KeyError, TypeError or ValueError."""
    chain = manifest["chain"]
    previous = chain["previous"] or {"name": None, "sha256": None}
    digest = hashlib.sha256(content).hexdigest()
    replaces = tuple(map(str, chain.get("replaces", ())))
    return Link(name, int(chain["number"]), digest, replaces, previous["name"], previous["sha256"])


def last_link(out: Path, but: str | None = None) -> Link | None:
    """The last link of an output folder, None where there is none.

    but: a folder that does not count. Reads the first bytes of every manifest and all of one.
    """
    numbered = [
        (number, folder)
        for folder in chained_folders(out)
        if folder.name != but and (number := _number(folder)) is not None
    ]
    for _, folder in sorted(numbered, reverse=True):
        link = read_link(folder)
        if link is not None:
            return link
    return None


def _number(folder: Path) -> int | None:
    try:
        with (folder / MANIFEST).open("rb") as file:
            found = _NUMBER.match(file.read(HEAD_BYTES))
    except OSError:
        return None
    return int(found.group(1)) if found else None


def chain_after(previous: Link | None) -> dict[str, object]:
    """What the manifest after a link says of the chain."""
    if previous is None:
        return {"number": 1, "previous": None}
    return {
        "number": previous.number + 1,
        "previous": {"name": previous.name, "sha256": previous.sha256},
    }


def chain_in_place_of(folder: Path, out: Path) -> dict[str, object]:
    """What the manifest says of the chain that is written in the place of a folder's.

    A later link names the SHA-256 of the manifest that stood there, or of one before it.
    """
    links = [link for path in chained_folders(out) if (link := read_link(path)) is not None]
    old = next((link for link in links if link.name == folder.name), None)
    later = [link for link in links if link.previous == folder.name and link.previous_sha256]
    known = {link.previous_sha256 for link in later} | (
        {old.sha256, *old.replaces} if old else set()
    )
    if old is not None:
        place = _place_of(old)
    elif later:
        number = later[0].number - 1
        before = [link for link in links if link.number == number - 1]
        place = {**chain_after(before[0] if before else None), "number": number}
    else:
        place = chain_after(last_link(out, but=folder.name))
    return {**place, "replaces": sorted(filter(None, known))}


def _place_of(link: Link) -> dict[str, object]:
    previous = None
    if link.previous is not None:
        previous = {"name": link.previous, "sha256": link.previous_sha256}
    return {"number": link.number, "previous": previous}


def is_linked(folder: Path) -> bool:
    """Whether a folder's manifest is the one that later manifests were chained to."""
    links = [link for path in chained_folders(folder.parent) if (link := read_link(path))]
    broken = {name for name, _ in find_breaks(links)}
    later = {link.name for link in links if link.previous == folder.name}
    return folder.name in {link.name for link in links} and not broken & later


def find_breaks(links: Iterable[Link]) -> list[tuple[str, str]]:
    """Where the chain breaks: (folder, what is wrong), in the order of the chain."""
    ordered = sorted(links, key=lambda link: (link.number, link.name))
    by_name = {link.name: link for link in ordered}
    found: list[tuple[str, str]] = []
    for before, link in zip([None, *ordered], ordered, strict=False):
        if before is not None and before.number == link.number:
            found.append(
                (link.name, f"has number {link.number} of the chain, as {before.name} has")
            )
        named = by_name.get(link.previous or "")
        if link.previous is None:
            if link.number != 1:
                found.append((link.name, "names no manifest before it and is not the first"))
        elif named is None:
            found.append((link.name, f"was written after {link.previous}, which is not there"))
        elif named.number != link.number - 1:
            found.append((link.name, f"names {named.name}, which does not stand before it"))
        elif link.previous_sha256 not in (named.sha256, *named.replaces):
            found.append((link.name, f"holds another SHA-256 than that of {named.name}'s manifest"))
    return found
