"""The evidence for people: Markdown for reviews, one HTML page for everybody else."""

import os
from pathlib import Path

import jinja2

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evaluate import Result
from groundplan_policies.evidence import Evidence, versions, waiver_text

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=lambda name: bool(name and "html" in name),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def lines(result: Result) -> list[str]:
    """What is wrong, a line for each resource."""
    return [f"{each.name}: {each.message}" for each in result.findings if each.message]


def summary(evidence: Evidence) -> str:
    """What a terminal shows: whatever is not well, and the count."""
    shown = [each for each in evidence.results if each.status in ("violated", "undecided", "waived")]
    rows = []
    for result in sorted(shown, key=lambda each: (not each.blocks, each.control.id)):
        rows.append(f"{result.level:9}  {result.status:9}  {result.control.id}: {result.control.title}")
        rows += [f"             {line}" for line in lines(result)]
        if result.status != "waived":
            rows.append(f"             -> {result.control.remediation}")
    rows += [f"waiver     {line}" for line in evidence.evaluation.waiver_problems]
    rows += [f"loosened   {line}" for line in evidence.loosened]
    counts = ", ".join(f"{number} {status}" for status, number in sorted(evidence.counted().items()))
    verdict = "passed" if evidence.passed else "FAILED"
    rows.append(f"stack {evidence.stack}, profile {evidence.policy.profile}: {verdict} ({counts})")
    return "\n".join(rows)


def render(evidence: Evidence, template: str) -> str:
    """The evidence as `report.md.jinja` or `report.html.jinja` writes it."""
    return TEMPLATES.get_template(template).render(
        evidence=evidence,
        frameworks=CATALOGUE.frameworks,
        lines=lines,
        versions=versions(),
        waiver_text=waiver_text,
    )


def write(file: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(file.suffix + ".part")
    beside.write_text(text)
    os.replace(beside, file)
