"""What all tests share: the hypothesis profile, the folder of published examples, a marker."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "medcost",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("medcost")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker that says which row of the verdicts page a test is of."""
    config.addinivalue_line("markers", "verdict(case): the row of docs/explanation/verdicts.md")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests have recorded as facts, as how many faults they injected."""
    for report in terminalreporter.stats.get("passed", []):
        for name, fact in report.user_properties:
            if name == "fact":
                terminalreporter.write_line(str(fact))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of published examples and real books; skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder shared is absent")
    return folder
