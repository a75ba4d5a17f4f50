"""A generated repository watches what it serves: the same traffic, changed traffic, labels."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.service import call, make, serving
from harness import PristineRenders

SHIFTED = "mean texture"


def rows_of(project: Path) -> list[dict[str, float]]:
    """The rows of the source table, without the target."""
    with (project / "data/source.csv").open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if name != "target"} for row in csv.DictReader(file)]


def send(url: str, rows: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Ask for predictions, fifty at a time."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(rows), 50):
        status, answer = call(f"{url}/predict", rows[start : start + 50])
        assert status == 200, answer
        found += answer["predictions"]
    return found


@pytest.mark.slow
def test_a_repository_watches_what_it_serves(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    make(project, "pipeline", "promote")
    assert "holds no predictions yet" in make(project, "monitor", check=False).stderr
    rows = rows_of(project)
    with serving(project) as url:
        answers = send(url, rows)
    assert "0 of 31 columns drifted" in make(project, "monitor").stdout

    lines = [f"{each['id']},{each['prediction']}" for each in answers[:100]]
    unknown = f"unknown,{answers[0]['prediction']}"
    (project / "labels.csv").write_text("\n".join(["id,label", *lines, unknown]) + "\n", encoding="utf-8")
    labelled = make(project, "labels", "SOURCE=labels.csv").stdout
    assert "101 rows, 100 new labels" in labelled
    assert "1 are of predictions that the log does not have" in labelled

    key = answers[0]["id"]
    with serving(project) as url:
        assert "1 predictions and 1 labels of this id are deleted" in make(project, "forget", f"KEY=id={key}").stdout
        send(url, [{**row, SHIFTED: row[SHIFTED] * 1.3} for row in rows * 2])
    log = (project / ".local/logs/predictions.jsonl").read_text(encoding="utf-8")
    assert f'"{key}"' not in log
    assert key not in (project / "governance/audit.jsonl").read_text(encoding="utf-8")
    done = make(project, "monitor", check=False)
    assert done.returncode != 0
    report = json.loads((project / "reports/monitoring.json").read_text(encoding="utf-8"))
    assert [each["column"] for each in report["drift"] if each["drifted"]] == [SHIFTED]
    assert report["performance"]["metrics"]["accuracy"] == 1.0
    page = (project / "reports/monitoring.html").read_text(encoding="utf-8")
    assert f"Drifted: {SHIFTED}." in page
    assert page.count("<svg") == 31
