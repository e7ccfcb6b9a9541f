"""Published runs that several tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Medcost, run_medcost

from report.chromium import Chromium
from report.published import sample_runs


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months of three hospitals in 9,000 lines, published in one folder."""
    folder = tmp_path_factory.mktemp("report")
    return sample_runs(folder, 3, 9000, ["2026-01", "2026-02", "2026-03"])


@pytest.fixture(scope="session")
def medcost() -> Medcost:
    """Run `medcost` in a fresh process."""
    return run_medcost


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests."""
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started
