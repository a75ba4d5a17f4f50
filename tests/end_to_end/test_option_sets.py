"""Generated repositories run their own checks and pipelines, for option sets that cover every value of every option."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from end_to_end.service import call, left_running, make, serving
from harness import PristineRenders, choices, stored_questions

OPTION_SETS: list[dict[str, Any]] = [
    {},
    {
        "task": "regression",
        "framework": "lightgbm",
        "level": "2",
        "ci": "gitlab",
        "licence": "MIT",
        "shap": True,
        "evidently": True,
    },
    {"framework": "xgboost", "level": "0", "ci": "none", "containers": False, "licence": "BSD-3-Clause"},
    {"task": "regression", "framework": "xgboost", "serving": False, "ci_train": "false", "ci_deliver": "false"},
    {"framework": "lightgbm", "monitoring": False, "licence": "Apache-2.0", "ci_train": "true"},
    {"task": "regression", "monitoring": False, "serving": False, "containers": False, "ci": "none"},
    {"data_source": "sklearn:iris", "project_name": "3 Ünïted flöwers", "ci": "gitlab", "ci_deliver": "true"},
    {
        "data_source": "sklearn:wine",
        "framework": "xgboost",
        "gate_max_slice_gap": 0.5,
        "max_bad_rows": 0.05,
        "level": "2",
    },
]
# What the cloud's program is told; tests/infra runs every value by the engine or captures its graph.
CLOUD = {"platform", "tracking", "compute", "data_classification", "regulation"}
NOT_RUN = {"python_floor": "another Python cannot be had everywhere; the values are rendered and linted by the pairs"}


def test_every_value_of_every_option_is_covered() -> None:
    for name, question in stored_questions().items():
        if (question["type"] == "bool" or "choices" in question) and name not in {*NOT_RUN, *CLOUD}:
            seen = {answers[name] for answers in OPTION_SETS if name in answers}
            seen |= {default_of(name)} if any(name not in answers for answers in OPTION_SETS) else set()
            assert seen == set(choices(name)), name


def default_of(name: str) -> Any:
    return stored_questions()[name]["default"]


@pytest.mark.slow
@pytest.mark.parametrize("answers", OPTION_SETS, ids=lambda answers: "-".join(map(str, answers.values())) or "default")
def test_a_fresh_repository_checks_trains_and_serves(
    renders: PristineRenders, tmp_path: Path, answers: dict[str, Any]
) -> None:
    project = renders.copy(answers, tmp_path / "project")
    make(project, "setup")
    checked = make(project, "check")
    assert re.search(r"(\d+) passed", checked.stdout) or re.search(r"^(\.+)", checked.stdout, re.M), checked.stdout
    assert checked.stderr == ""
    assert left_running(project) == []
    make(project, "pipeline")
    assert "is the champion" in make(project, "promote").stdout
    assert "chain intact" in make(project, "audit").stdout
    assert "didn't change" in make(project, "pipeline").stdout
    if answers.get("serving", True):
        with serving(project) as url:
            _, described = call(f"{url}/openapi.json")
            status, answer = call(f"{url}/predict", described["x-example"])
            assert status == 200, answer
            assert answer["model_version"] == "1"
            status, answer = call(f"{url}/predict", {})
            assert status == 422, answer
            status, answer = call(f"{url}/explain", described["x-example"])
            assert status == 200, answer
            assert call(f"{url}/predict", [described["x-example"]] * 30)[0] == 200
    columns = set(described["x-example"]) if answers.get("serving", True) else set()
    if answers.get("evidently"):
        assert "31 predictions of version 1" in make(project, "evidently").stdout
        assert "DriftedColumnsCount" in (project / "reports/evidently.json").read_text(encoding="utf-8")
    if answers.get("shap"):
        assert "Explainer on" in make(project, "shap").stdout
        found = json.loads((project / "reports/shap.json").read_text(encoding="utf-8"))
        assert {each["column"] for each in found["features"]} == columns
        assert (project / "reports/shap.png").read_bytes().startswith(b"\x89PNG")
    card = json.loads((project / "governance/model-card.json").read_text(encoding="utf-8"))
    assert card["version"] == "1"
    metrics = json.loads((project / "reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["skill"] > 0
