"""Any name that a person may type gives a legal package or a clear message."""

import keyword
import re
import sys
import tomllib
from pathlib import Path

import pytest
from copier import run_copy
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness import ROOT, PristineRenders, git_url

MAX_LENGTH = 40


def names_module() -> object:
    environment = Environment(
        loader=FileSystemLoader(ROOT),
        undefined=StrictUndefined,
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        autoescape=False,
    )
    return environment.get_template("includes/names.jinja").module


NAMES = names_module()


def package_from(name: str) -> str:
    return str(NAMES.package_from(name))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Churn Predictor", "churn_predictor"),
        ("Ünïted 3D-modèle", "united_3d_modele"),
        ("Straße/Łódź", "strasse_lodz"),
        ("3rd. try", "project_3rd_try"),
        ("...dots...", "dots"),
        ("class", "class_project"),
        ("match", "match_project"),
        ("Pandas", "pandas_project"),
        ("json", "json_project"),
        ("tests", "tests_project"),
        ("e\u0301te\u0301", "ete"),
        ("snake_case", "snake_case"),
        ("__init__", "init"),
        ("MLOps", "mlops"),
        ("日本", ""),
        ("日本 2", "project_2"),
        ("a" * 60, "a" * MAX_LENGTH),
    ],
)
def test_package_of_a_name(name: str, package: str) -> None:
    assert package_from(name) == package


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_every_package_is_legal(name: str) -> None:
    package = package_from(name)
    if package:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", package)
        assert package.isidentifier()
        assert not keyword.iskeyword(package)
        assert package not in sys.stdlib_module_names
        assert len(package) <= MAX_LENGTH


def test_reserved_names_cover_python() -> None:
    reserved = set(NAMES.reserved_names)  # type: ignore[attr-defined]
    python = {*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names}
    assert {name.lower() for name in python if not name.startswith("_")} <= reserved


def test_reserved_names_cover_the_libraries(renders: PristineRenders) -> None:
    reserved = set(NAMES.reserved_names)  # type: ignore[attr-defined]
    for framework in ("scikit-learn", "xgboost", "lightgbm"):
        groups = tomllib.loads((renders.get({"framework": framework}) / "pyproject.toml").read_text())[
            "dependency-groups"
        ]
        for requirement in (entry for group in groups.values() for entry in group if isinstance(entry, str)):
            distribution = re.split(r"[\[<>=]", requirement)[0]
            assert distribution.replace("-", "_") in reserved, distribution


@pytest.mark.parametrize("name", ["Ünïted 3D-modèle", "class", "numpy", "3rd. try", "it's 100% & more", "a" * 60])
def test_an_unusual_name_renders(copier_template: Path, tmp_path: Path, name: str) -> None:
    project = tmp_path / "project"
    run_copy(git_url(copier_template), project, data={"project_name": name}, defaults=True, quiet=True)
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    package = metadata["tool"]["uv"]["build-backend"]["module-name"]
    assert (project / "src" / package / "__init__.py").is_file()
    assert f"# {name}" in (project / "README.md").read_text(encoding="utf-8")
