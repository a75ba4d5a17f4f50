"""Runs the rules on a stack, and says for each control how it stands."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import groundplan_policies.rules  # noqa: F401 (registers the rules)
from groundplan_policies.catalogue import CATALOGUE, Control
from groundplan_policies.resource import Resource, Stack, UndecidedError
from groundplan_policies.rule import RULES, Messages
from groundplan_policies.settings import Policy, Setting
from groundplan_policies.waivers import Waiver

Status = Literal["satisfied", "violated", "undecided", "waived", "not-applicable", "disabled"]
# The worst comes first: it is how a control as a whole stands.
ORDER: tuple[Status, ...] = ("violated", "undecided", "waived", "satisfied", "not-applicable")


@dataclass(frozen=True)
class Finding:
    """What a rule says of a resource; `urn` is empty for the stack as a whole."""

    control: str
    urn: str
    status: Status
    message: str = ""
    waiver: Waiver | None = None

    @property
    def name(self) -> str:
        """The resource's name."""
        return self.urn.split("::")[-1] if self.urn else "stack"


@dataclass(frozen=True)
class Result:
    """How a control stands."""

    control: Control
    level: Setting
    findings: list[Finding]

    @cached_property
    def status(self) -> Status:
        """The worst that was found; a control that is switched off, or that is about nothing here, says so."""
        found = {finding.status for finding in self.findings}
        nothing: Status = "disabled" if self.level == "disabled" else "not-applicable"
        return next((status for status in ORDER if status in found), nothing)

    @property
    def blocks(self) -> bool:
        """Whether it must stop a deployment. What cannot be decided counts as violated."""
        return self.level == "mandatory" and self.status in ("violated", "undecided")


@dataclass(frozen=True)
class Evaluation:
    """How all controls stand, and what is wrong with the waivers."""

    results: list[Result]
    waiver_problems: list[str]

    @property
    def passed(self) -> bool:
        """Whether nothing stands against a deployment."""
        return not self.waiver_problems and not any(result.blocks for result in self.results)


def judges(control: Control, resource: Resource) -> bool:
    """Whether a control is about a resource."""
    return resource.token in control.types or ("*" in control.types and (resource.is_cloud or resource.is_provider))


# What a rule may meet in inputs of a shape that no provider would take.
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def examine(control: Control, resource: Resource, stack: Stack, policy: Policy) -> list[Finding]:
    """What a control's rule says of a resource."""
    if control.id in RULES.resource:
        return findings_from(control, resource.urn, lambda: RULES.resource[control.id](resource, policy))
    return findings_from(control, resource.urn, lambda: RULES.related[control.id](resource, stack, policy))


def findings_from(control: Control, urn: str, rule: Callable[[], Messages]) -> list[Finding]:
    """Run a rule: a finding for each message, one where there is none, and one where it cannot be decided."""
    try:
        violated = [Finding(control.id, urn, "violated", message) for message in rule()]
    except UndecidedError as reason:
        return [Finding(control.id, urn, "undecided", f"{reason} is not known")]
    except UNREADABLE as error:
        return [Finding(control.id, urn, "undecided", f"its inputs cannot be read: {error}")]
    return violated or [Finding(control.id, urn, "satisfied")]


def waived(finding: Finding, waivers: Iterable[Waiver], today: datetime.date) -> Finding:
    """A finding, marked where a waiver that holds is about it."""
    for waiver in waivers:
        violated = finding.status in ("violated", "undecided")
        if violated and not waiver.problem(today) and waiver.matches(finding.control, finding.urn):
            return Finding(finding.control, finding.urn, "waived", finding.message, waiver)
    return finding


def findings_of(control: Control, stack: Stack, policy: Policy) -> Iterator[Finding]:
    """All that a control's rule says of a stack."""
    if control.id in RULES.stack:
        yield from findings_from(control, "", lambda: RULES.stack[control.id](stack, policy))
        return
    for resource in stack.resources:
        if judges(control, resource):
            yield from examine(control, resource, stack, policy)


def evaluate(stack: Stack, policy: Policy, waivers: list[Waiver], today: datetime.date) -> Evaluation:
    """Run all rules on a stack. Waivers that have expired, or that match nothing, are problems of their own."""
    results = []
    for control in CATALOGUE.controls:
        if control.scope == "repository":
            continue
        level = policy.level(control.id)
        found = [] if level == "disabled" else findings_of(control, stack, policy)
        results.append(Result(control, level, [waived(each, waivers, today) for each in found]))
    return Evaluation(results, waiver_problems(waivers, results, today))


def waiver_problems(waivers: list[Waiver], results: list[Result], today: datetime.date) -> list[str]:
    """A line for each waiver that does not hold, or that nothing needs."""
    used = {id(finding.waiver) for result in results for finding in result.findings if finding.waiver}
    lines = []
    for waiver in waivers:
        problem = waiver.problem(today)
        if problem:
            lines.append(f"{waiver}: {problem}; fix the violation, or have it approved anew")
        elif id(waiver) not in used and CATALOGUE.by_id[waiver.control].scope != "repository":
            lines.append(f"{waiver}: matches no violation; remove it")
    return lines
