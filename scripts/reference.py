"""Write the pages on questions and tasks from what they describe, so that they cannot drift from it.

`--check` compares instead of writing and fails when a page is not current.
"""

import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy
from copier.errors import DirtyLocalWarning

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/questions.md"
TASKS_PAGE = ROOT / "docs/reference/tasks.md"
EVERYTHING = {
    "project_name": "Every option",
    "platform": "standalone",
    "budget_email": "you@example.com",
    "level": "2",
    "shap": True,
    "evidently": True,
}
TASKS_HEAD = """\
# Tasks

*Generated from the Makefiles by `make docs`; do not edit.*

The names that people, hooks and CI use. A generated repository has the tasks of its options; `make help` lists them.
"""
TOPICS = {
    "project": "What the project is called and who owns it.",
    "model": "What the model predicts, and with which library.",
    "delivery": "How far automation goes, on which CI system, in which containers.",
    "platform": "Which cloud it runs on, if any.",
    "monitoring": "What runs beside the model.",
    "governance": "What a model must prove before it is promoted.",
}
HEAD = """\
# Questions

*Generated from `questions/` by `make docs`; do not edit.*

Asked questions are put to you by `copier copy`. The others have defaults that fit most, and are set with
`-d name=value`. Every answer is kept in `.copier-answers.yml`.
"""


def default_of(question: dict[str, Any]) -> str:
    """The default in words."""
    if "default" not in question:
        return "none, required"
    default = str(question["default"])
    return "computed" if "{{" in default or "{%" in default else f"`{default}`"


def values_of(question: dict[str, Any]) -> str:
    """What may be answered."""
    if question["type"] == "bool":
        return "`true`, `false`"
    offered = question.get("choices")
    if offered is None:
        return {"str": "text", "float": "number", "int": "whole number"}[question["type"]]
    values = offered.values() if isinstance(offered, dict) else offered
    return ", ".join(f"`{value}`" for value in values)


def row(name: str, question: dict[str, Any]) -> str:
    """One line of the table."""
    asked = "yes" if question.get("ask", True) else "no"
    return f"| `{name}` | {question['help']} | {values_of(question)} | {default_of(question)} | {asked} |"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for topic, text in TOPICS.items():
        questions = yaml.safe_load((ROOT / f"questions/{topic}.yml").read_text(encoding="utf-8"))
        rows = "\n".join(row(name, question) for name, question in questions.items())
        table = f"| name | what | values | default | asked |\n| --- | --- | --- | --- | --- |\n{rows}\n"
        parts.append(f"## {topic.capitalize()}\n\n{text}\n\n{table}")
    return "\n".join(parts)


def own_tasks() -> list[tuple[str, str]]:
    """The tasks of this repository and what they do."""
    return re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


def generated_tasks() -> list[tuple[str, str]]:
    """The tasks of a generated repository that has all options."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DirtyLocalWarning)
        target = Path(folder, "every")
        run_copy(str(ROOT), target, data=EVERYTHING, defaults=True, quiet=True, vcs_ref="HEAD")
        return re.findall(r"^([a-z-]+):.*?## (.*)$", (target / "Makefile").read_text(encoding="utf-8"), re.M)


def tasks_page() -> str:
    """The tasks of this repository and of a generated one."""
    parts = [TASKS_HEAD]
    for title, tasks in (("This repository", own_tasks()), ("A generated repository", generated_tasks())):
        rows = "\n".join(f"| `make {name}` | {text.replace('|', '/')} |" for name, text in tasks)
        parts.append(f"## {title}\n\n| task | what it does |\n| --- | --- |\n{rows}\n")
    return "\n".join(parts)


def main() -> None:
    """Write the pages, or with --check compare them."""
    pages = {PAGE: page(), TASKS_PAGE: tasks_page()}
    for path, text in pages.items():
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"error: {path.relative_to(ROOT)} is not current; run `make docs`", file=sys.stderr)
            raise SystemExit(1)


if __name__ == "__main__":
    main()
