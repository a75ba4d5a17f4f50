"""A linter of copier.yml: Copier itself swallows what it does not know."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2.meta
import pytest
from pytest_copier.plugin import CopierFixture

from harness import NAME, ROOT, choices, documents, includes, questions, stored_questions

QUESTION_KEYS = {"type", "help", "default", "choices", "validator", "when", "ask", "placeholder", "multiselect"}
SETTINGS = {
    "_min_copier_version",
    "_subdirectory",
    "_answers_file",
    "_envops",
    "_skip_if_exists",
    "_exclude",
    "_message_after_copy",
}
ASKED = ["project_name", "description", "owner", "task", "framework", "level", "ci", "platform"]
MAX_ASKED = 8
TYPES = {"bool", "float", "int", "json", "path", "str", "yaml"}


def template_texts() -> dict[Path, str]:
    """Every file whose text Copier renders, and every rendered path."""
    rendered = [*(ROOT / "template").rglob("*.jinja"), *(path for path in (ROOT / "includes").rglob("*"))]
    texts = {path: path.read_text(encoding="utf-8") for path in rendered if path.is_file()}
    paths = "\n".join(str(path.relative_to(ROOT)) for path in (ROOT / "template").rglob("*"))
    return texts | {ROOT / "template": paths}


def test_settings_are_known_and_need_no_trust() -> None:
    settings = {key for document in documents() for key in document if key.startswith("_")}
    assert settings == SETTINGS
    assert not settings & {"_tasks", "_migrations", "_jinja_extensions"}


def test_every_file_of_questions_is_included_once_in_a_fixed_order() -> None:
    topics = ["project", "model", "delivery", "platform", "monitoring", "governance", "computed", "pins"]
    assert includes() == [f"questions/{topic}.yml" for topic in topics]
    assert {Path(name).name for name in includes()} == {path.name for path in (ROOT / "questions").iterdir()}


def test_every_include_says_what_it_is_for() -> None:
    lines = (ROOT / "copier.yml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("!include"):
            assert lines[number - 1].startswith("# "), line


def test_few_questions_are_asked_and_only_the_name_is_required() -> None:
    asked = [name for name, question in stored_questions().items() if question.get("ask", True)]
    assert asked == ASKED
    assert len(asked) <= MAX_ASKED
    assert [name for name in asked if "default" not in questions()[name]] == ["project_name"]


@pytest.mark.parametrize("name", list(questions()))
def test_question_is_well_formed(name: str) -> None:
    question = questions()[name]
    assert set(question) <= QUESTION_KEYS
    assert question["type"] in TYPES
    if question.get("when") is False:
        assert "default" in question
    else:
        assert question["help"]
    if "choices" in question and "{{" not in str(question["default"]):
        assert question["default"] in choices(name)


def test_computed_values_and_pins_are_never_stored() -> None:
    for topic in ("computed", "pins"):
        for name in re.findall(r"^(\w+):", (ROOT / f"questions/{topic}.yml").read_text(encoding="utf-8"), re.M):
            assert questions()[name]["when"] is False, name


def test_versions_that_stand_twice_agree() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert ours["tool"]["uv"]["exclude-newer"] == questions()["exclude_newer"]["default"]
    assert f"UV_VERSION := {questions()['uv_version']['default']}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    copier = ours["dependency-groups"]["template"][0].replace("==", "@")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "template").rglob("*.md.jinja")]
    named = {found for page in pages for found in re.findall(r"copier@[\d.]+\d", page.read_text(encoding="utf-8"))}
    assert named == {copier}


def test_every_question_is_used() -> None:
    texts = "\n".join(template_texts().values())
    for name in questions():
        elsewhere = texts + str([question for other, question in questions().items() if other != name])
        assert re.search(rf"\b{name}\b", elsewhere), f"{name} is asked and never used"


def test_every_variable_is_answered() -> None:
    environment = jinja2.Environment(
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"], autoescape=False
    )
    known = {*questions(), "_copier_answers", "_copier_conf"}
    for path, text in template_texts().items():
        used = jinja2.meta.find_undeclared_variables(environment.parse(text))
        assert used <= known, f"{path}: {used - known}"


def test_nothing_rendered_changes_from_run_to_run() -> None:
    unstable = re.compile(r"_folder_name|dst_path|src_path|ans_random|now\(|strftime|vcs_ref\b|to_uuid")
    for path, text in template_texts().items():
        for expression in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, re.S):
            assert not unstable.search(expression), path


def test_files_are_rendered_only_where_something_is_rendered() -> None:
    for path in (ROOT / "template").rglob("*"):
        if path.is_file() and path.suffix == ".jinja":
            assert re.search(r"\{\{|\{%", path.read_text(encoding="utf-8")), f"{path} has nothing to render"


def test_answers_file_is_in_the_template() -> None:
    assert (ROOT / "template/{{ _copier_conf.answers_file }}.jinja").is_file()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"project_name": " "}, "must not be empty"),
        ({"project_name": "x" * 61}, "60 characters at most, this has 61"),
        ({"project_name": 'a"b'}, "may not contain"),
        ({"project_name": "日本"}, "needs a Latin letter or a digit"),
        ({"description": "two\nlines"}, "one line"),
        ({"owner": "not a team"}, "owner must be a team"),
        ({"package_name": "1abc"}, "must start with a letter"),
        ({"package_name": "numpy"}, "is taken by Python or by a library"),
        ({"package_name": "x" * 41}, "40 characters at most"),
        ({"ci_deliver": "true", "serving": False}, "ci_deliver=true needs serving"),
        ({"ci_deliver": "true", "containers": False}, "ci_deliver=true needs containers"),
        ({"ci_deliver": "true", "ci_train": "false"}, "ci_deliver=true needs ci_train"),
        ({"data_source": "table.xlsx"}, "must end in .csv or .parquet"),
        ({"gate_min_skill": 2.0}, "must be below 1"),
        ({"gate_margin": -0.1}, "must not be negative"),
        ({"max_bad_rows": 1.0}, "below 1"),
        ({"framework": "fastai"}, "fastai"),
    ],
)
def test_a_wrong_answer_is_refused_in_one_line(
    copier: CopierFixture, tmp_path: Path, answers: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"(?i)") as raised:
        copier.copy(tmp_path / "project", **{**NAME, **answers})
    assert message in str(raised.value)
    assert not (tmp_path / "project").exists()
