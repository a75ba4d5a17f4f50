"""Fixtures of the infrastructure's tests, and the line that names what an absent engine left out."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from groundplan_infra.config import PlatformConfig, parse
from groundplan_infra.engine import emulator
from groundplan_infra.engine.aws_plugin import find_plugin
from groundplan_infra.engine.cli import find_cli
from groundplan_infra.engine.folders import EngineError
from groundplan_infra.graph import Graph, capture
from groundplan_infra.program import build_platform

# A slow machine is no wrong answer.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

INFRA = Path(__file__).parents[2] / "infra"
SMALLEST: dict[str, Any] = {
    "name": "unit",
    "environment": "dev",
    "region": "eu-west-1",
    "owner": "team",
    "budget": {"monthly_usd": 50, "emails": ["team@example.com"]},
}
PlatformGraph = Callable[..., Graph]


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this shell points at is of no concern to a captured graph."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture(scope="session")
def platform() -> PlatformGraph:
    """The graph of a platform with the smallest settings and those given."""

    def make(**settings: Any) -> Graph:
        config = parse(PlatformConfig, {**SMALLEST, **settings}, "Pulumi.unit.yaml")
        return capture(lambda: build_platform(config))

    return make


@pytest.fixture(scope="session")
def engine() -> None:
    """The real engine, made ready; tests are left out by name where there is none."""
    try:
        find_plugin(find_cli())
    except EngineError as error:
        pytest.skip(f"no engine: {error}")


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of this run, with an embedded AWS that ends with it."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("GROUNDPLAN_STATE")
    os.environ["GROUNDPLAN_STATE"] = str(folder)
    yield folder
    running = emulator.running()
    if running:
        emulator.stop(running)
    if before is None:
        del os.environ["GROUNDPLAN_STATE"]
    else:
        os.environ["GROUNDPLAN_STATE"] = before


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An embedded AWS for one test alone."""
    monkeypatch.setenv("GROUNDPLAN_STATE", str(tmp_path / "state"))
    yield tmp_path
    running = emulator.running()
    if running:
        emulator.stop(running)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line with the reason and the names of what could not run."""
    left_out = [report for report in terminalreporter.stats.get("skipped", []) if "no engine:" in str(report.longrepr)]
    if left_out:
        reason = str(left_out[0].longrepr[2]).partition("no engine: ")[2]
        names = ", ".join(sorted(report.nodeid.rpartition("::")[2] for report in left_out))
        terminalreporter.write_line(f"left out, for there is no engine ({reason}): {names}")
