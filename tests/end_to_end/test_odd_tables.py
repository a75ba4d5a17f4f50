"""Tables with odd names, types and values go through the pipeline and the service, or are refused in words."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from end_to_end.service import make
from harness import PristineRenders

SCRIPT = Path(__file__).with_name("odd_tables.py")
REFUSED = {"150 classes"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [{}, {"task": "regression", "framework": "lightgbm"}, {"framework": "xgboost"}],
    ids=["classes", "numbers", "xgboost"],
)
def test_odd_tables_train_and_serve(renders: PristineRenders, tmp_path: Path, answers: dict[str, Any]) -> None:
    project = renders.copy(answers, tmp_path / "project")
    make(project, "setup")
    command = ["uv", "run", "--quiet", "python", str(SCRIPT), "harness"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    lines = done.stdout.splitlines()
    assert len(lines) >= 40
    refused = {line.split(": ")[1].rsplit(", ", 1)[0] for line in lines if line.startswith("refused")}
    assert refused <= REFUSED, done.stdout
    native = [line for line in lines if line.startswith("ok native")]
    assert not native, "every default model converts to ONNX"
