"""Evidence: how all controls stand at one moment, as OSCAL assessment results, and what changed since the last time.

The JSON follows NIST's OSCAL 1.1.3, model assessment-results.
"""

import datetime
import json
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.evaluate import Evaluation, Result, Status
from groundplan_policies.settings import Policy, loosened
from groundplan_policies.waivers import Waiver

OSCAL_VERSION = "1.1.3"
NAMESPACE = uuid.UUID("8f0f3b1e-6c53-5d0a-9a0e-3c1f0c6e5b7d")
OWN = "urn:groundplan:oscal"
PLAN = "docs/explanation/policies.md"
TOOLS = ("groundplan-policies", "groundplan-infra", "pulumi", "pulumi-aws")


class EvidenceError(Exception):
    """Earlier evidence cannot be read."""


@dataclass(frozen=True)
class Evidence:
    """How the controls of a stack stand. `time` is UTC; `graph_digest` is SHA-256 of what the rules saw."""

    stack: str
    policy: Policy
    evaluation: Evaluation
    waivers: list[Waiver]
    time: datetime.datetime
    graph_digest: str
    source: str
    changes: list[str] = field(default_factory=list)

    @property
    def results(self) -> list[Result]:
        """How each control stands."""
        return self.evaluation.results

    @property
    def passed(self) -> bool:
        """Whether nothing stands against a deployment."""
        return self.evaluation.passed

    @property
    def loosened(self) -> list[str]:
        """What the settings make less strict."""
        return loosened(self.policy)

    def counted(self) -> dict[Status, int]:
        """How many controls stand how."""
        return Counter(result.status for result in self.results)

    def by_framework(self) -> dict[str, list[tuple[str, bool, Result]]]:
        """For each framework: its ids, whether the mapping is verified, and the control that stands for it."""
        return {
            framework: sorted(
                (
                    (reference, verified, result)
                    for result in self.results
                    for reference, verified in result.control.references(framework)
                ),
                key=lambda each: (natural(each[0]), each[2].control.id),
            )
            for framework in CATALOGUE.frameworks
        }


def natural(reference: str) -> list[tuple[int, str]]:
    """A key that sorts 2.10 behind 2.9."""
    parts = reference.replace("(", ".").replace(")", "").split(".")
    return [(int(part), "") if part.isdigit() else (1 << 30, part) for part in parts]


def versions() -> dict[str, str]:
    """The versions of what made the evidence."""
    found = {}
    for tool in TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            continue
    return found


def oscal(evidence: Evidence) -> dict[str, Any]:
    """The evidence as an OSCAL document; equal evidence at an equal time gives an equal document."""
    time = evidence.time.isoformat(timespec="seconds")
    seed = f"{evidence.stack}:{evidence.graph_digest}:{time}"
    observations, findings = [], []
    for result in evidence.results:
        if result.status in ("not-applicable", "disabled"):
            continue
        observation = oscal_observation(result, seed, time)
        observations.append(observation)
        findings.append(oscal_finding(result, seed, observation["uuid"]))
    document = {
        "uuid": identity(seed),
        "metadata": {
            "title": f"Controls of stack {evidence.stack}",
            "last-modified": time,
            "version": evidence.graph_digest[:12],
            "oscal-version": OSCAL_VERSION,
            "props": [prop(f"version-{tool}", number) for tool, number in versions().items()],
        },
        "import-ap": {"href": PLAN},
        "results": [
            {
                "uuid": identity(f"{seed}:result"),
                "title": f"Stack {evidence.stack}",
                "description": f"Judged from {evidence.source}, profile {evidence.policy.profile}.",
                "start": time,
                "end": time,
                "props": result_props(evidence),
                "reviewed-controls": {
                    "control-selections": [
                        {"include-controls": [{"control-id": result.control.id} for result in evidence.results]}
                    ]
                },
                **({"observations": observations, "findings": findings} if findings else {}),
            }
        ],
    }
    return {"assessment-results": document}


def result_props(evidence: Evidence) -> list[dict[str, str]]:
    """What holds for the whole: environment, profile, digest, verdict, and everything that loosens."""
    return [
        prop("environment", evidence.policy.environment),
        prop("profile", evidence.policy.profile),
        prop("graph-sha256", evidence.graph_digest),
        prop("verdict", "passed" if evidence.passed else "failed"),
        *(prop("loosened", line) for line in evidence.loosened),
        *(prop("waiver-problem", line) for line in evidence.evaluation.waiver_problems),
        *(prop("change", line) for line in evidence.changes),
    ]


def oscal_observation(result: Result, seed: str, time: str) -> dict[str, Any]:
    """What was seen of a control."""
    lines = [f"{each.name}: {each.status}{': ' + each.message if each.message else ''}" for each in result.findings]
    subjects = [each for each in result.findings if each.urn]
    observation: dict[str, Any] = {
        "uuid": identity(f"{seed}:observation:{result.control.id}"),
        "title": result.control.title,
        "description": "; ".join(lines),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "collected": time,
    }
    if subjects:
        observation["subjects"] = [
            {
                "subject-uuid": identity(each.urn),
                "type": "resource",
                "title": each.urn,
                "props": [prop("status", each.status)],
            }
            for each in {each.urn: each for each in subjects}.values()
        ]
    return observation


def oscal_finding(result: Result, seed: str, observation: str) -> dict[str, Any]:
    """How a control stands."""
    satisfied = result.status == "satisfied"
    references = [
        prop("reference" if verified else "reference-own-reading", f"{framework} {reference}")
        for framework in CATALOGUE.frameworks
        for reference, verified in result.control.references(framework)
    ]
    waivers = sorted({waiver_text(each.waiver) for each in result.findings if each.waiver})
    return {
        "uuid": identity(f"{seed}:finding:{result.control.id}"),
        "title": result.control.title,
        "description": result.control.why,
        "props": [prop("status", result.status), prop("level", result.level), *references],
        "target": {
            "type": "objective-id",
            "target-id": result.control.id,
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": {"satisfied": "pass", "violated": "fail"}.get(result.status, "other"),
                **({"remarks": "; ".join(waivers)} if waivers else {}),
            },
        },
        "related-observations": [{"observation-uuid": observation}],
    }


def waiver_text(waiver: Waiver) -> str:
    """A waiver in one line."""
    return f"{waiver}, until {waiver.expires}: {waiver.reason}"


def prop(name: str, value: str) -> dict[str, str]:
    """A property of ours in an OSCAL document."""
    return {"name": name, "value": value, "ns": OWN}


def identity(text: str) -> str:
    """A UUID that is the same for the same text. OSCAL asks for version 4 or 5."""
    return str(uuid.uuid5(NAMESPACE, text))


def statuses(document: Mapping[str, Any]) -> dict[str, str]:
    """How the controls stood in an OSCAL document of ours; raises EvidenceError."""
    try:
        findings = document["assessment-results"]["results"][0].get("findings", [])
        return {
            each["target"]["target-id"]: next(each["value"] for each in each["props"] if each["name"] == "status")
            for each in findings
        }
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        raise EvidenceError(f"not evidence of groundplan: {error!r}") from None


def read_last(file: Path) -> dict[str, str] | None:
    """How the controls stood the last time; None where there is no last time. Raises EvidenceError."""
    try:
        return statuses(json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{file} cannot be read: {error}; remove it to begin anew") from None
    except EvidenceError as error:
        raise EvidenceError(f"{file}: {error}; remove it to begin anew") from None


def changes(last: Mapping[str, str] | None, results: list[Result]) -> list[str]:
    """A line for each control that stands otherwise than the last time."""
    if last is None:
        return []
    now = {each.control.id: each.status for each in results if each.status not in ("not-applicable", "disabled")}
    return [
        f"{control}: {last.get(control, 'absent')} -> {now.get(control, 'absent')}"
        for control in sorted({*last, *now})
        if last.get(control) != now.get(control)
    ]
