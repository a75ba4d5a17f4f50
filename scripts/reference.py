"""Write docs/reference/questions.md from the questions, so that the page cannot drift from them.

`--check` compares instead of writing and fails when the page is not current.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/questions.md"
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


def main() -> None:
    """Write the page, or with --check compare it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print(f"error: {PAGE.relative_to(ROOT)} is not current; run `make docs`", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
