"""Fixtures for every folder of tests."""

import os
from pathlib import Path

import pytest

from harness import TEMPLATE_PATHS, PristineRenders, TemplateRepository, git


@pytest.fixture(scope="session")
def copier_template_paths() -> list[str]:
    """What pytest-copier takes as the template; without it, it would copy environments and all."""
    return TEMPLATE_PATHS


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache of Copier's for each worker (it breaks when shared), and no variable that a developer may have set."""
    os.environ["COPIER_CACHE_DIR"] = str(tmp_path_factory.mktemp("copier-cache"))
    for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)
    # Compiling a whole environment pays off when it is used for days, not once.
    os.environ["UV_COMPILE_BYTECODE"] = "0"


@pytest.fixture(scope="session")
def renders(copier_template: Path, tmp_path_factory: pytest.TempPathFactory) -> PristineRenders:
    """Pristine renders of the working tree, shared by all workers of the run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "pristine"
    folder.mkdir(exist_ok=True)
    return PristineRenders(copier_template, folder)


@pytest.fixture
def template_repository(tmp_path: Path, default_gitconfig: object) -> TemplateRepository:
    """An empty git repository to make releases of the template in."""
    path = tmp_path / "template-repository"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch", "main")
    return TemplateRepository(path)
