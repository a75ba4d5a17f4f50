"""`make loop`: the whole loop in one command, with Prometheus and without; the repository itself stays as it is."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from end_to_end.service import left_running, make
from harness import PristineRenders

SECRET = "T0-word-that-nobody-may-see"
# Settings of the repository that a rehearsal must not use: none of these addresses answers.
SETTINGS = f"""MLFLOW_TRACKING_URI=http://ada:{SECRET}@127.0.0.1:9
SLACK_WEBHOOK_URL=http://127.0.0.1:9/{SECRET}
TRIGGER_SECRET={SECRET}
RETRAIN_TARGET=github
CI_REPOSITORY=acme/churn
CI_TOKEN={SECRET}
"""
STEPS = (
    "version 1 is the challenger",
    "Version 1 passes the gate",
    "It is served",
    "like the training data: 0 alerts",
    "changes; labels come in",
    "Retraining, because of",
    "version 2 is the challenger",
    "The gate: skill against the champion",
    "Version 2 answers 10 %",
    "Version 2 answers 50 %",
    "Version 2 is the champion",
    "Version 3 is promoted at once, and fails",
    "Rolled back, because of",
    "version 2 is the champion",
)


def without_prometheus(folder: Path) -> str:
    """A PATH with what the tasks need, and no more."""
    folder.mkdir()
    for name in ("uv", "sh", "bash", "git", "awk", "env", "make"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "bare"),
    [({}, False), ({"task": "regression", "framework": "lightgbm", "ci": "gitlab"}, True)],
    ids=["observed", "without Prometheus"],
)
def test_the_loop_is_rehearsed(renders: PristineRenders, tmp_path: Path, answers: dict[str, Any], bare: bool) -> None:
    project = renders.copy(answers, tmp_path / "project")
    make(project, "setup")
    (project / ".env").write_text(SETTINGS, encoding="utf-8")
    told = make(project, "loop", PATH=without_prometheus(tmp_path / "tools") if bare else os.environ["PATH"]).stdout
    print(told)
    text = (project / ".local/loop/timeline.txt").read_text(encoding="utf-8")
    position = 0
    for step in STEPS:
        assert step in text[position:], f"{step!r} is missing after:\n{text[:position]}"
        position = text.index(step, position)
    assert re.search(r"Clients made \d+ requests: \d+ with 200; ", text), text
    assert ("`make monitor` finds the drift" in text) == (bare or not shutil.which("prometheus"))
    page = (project / ".local/loop/timeline.html").read_text(encoding="utf-8")
    assert page.count("<li") == len(re.findall(r"^ *\d+\.\d s ", text, re.M))

    assert left_running(project) == []
    assert not (project / ".local/mlflow.db").exists()
    assert not (project / "governance/audit.jsonl").exists()
    assert not (project / ".local/logs").exists()
    for folder, _, names in os.walk(project):
        for path in (Path(folder, name) for name in names if name != ".env"):
            assert path.is_symlink() or SECRET.encode() not in path.read_bytes(), path
