"""A place to publish small results from and to."""

from __future__ import annotations

from pathlib import Path

import pytest

from medcost import tables as schemas
from medcost.consortium.identities import IDENTITIES, Identity, Part

from .books import policy_file, written
from .results import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for kind in ("share", "lend"):
        monkeypatch.setitem(schemas.CONSORTIUM_RESULTS, kind, ("intercompany",))
    no_net = Identity("postings net to zero", (Part("intercompany", "amount"),))
    monkeypatch.setitem(IDENTITIES, "share", (no_net,))
    monkeypatch.setitem(IDENTITIES, "lend", ())
    return Place(tmp_path / "out", written(tmp_path / "book", {}), policy_file(tmp_path))
