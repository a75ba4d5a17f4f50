"""The policy pack: serves the rules to the Pulumi engine (`pulumi preview|up --policy-pack`).

It speaks the engine's analyzer protocol (pulumi/analyzer.proto) itself, by the stubs of the Pulumi SDK. The policy SDK
reports a mandatory rule that meets an unknown value as advisory, takes one framework for each rule, decodes every
resource anew for every rule, and pins a protobuf that others cannot use; see docs/decisions.
"""

import datetime
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from groundplan_policies.catalogue import CATALOGUE, Control
from groundplan_policies.evaluate import UNREADABLE, Finding, evaluate, examine, judges, waived
from groundplan_policies.facts import from_config
from groundplan_policies.resource import Resource, Stack, UndecidedError, normal_type
from groundplan_policies.rule import RULES
from groundplan_policies.settings import Policy, Setting, SettingsError, StackFacts, make_policy, read_policy_file
from groundplan_policies.sources import plain, raw
from groundplan_policies.waivers import read_waivers

VERSION = version("groundplan-policies")
NAME = "groundplan"
MAX_MESSAGE_BYTES = 400 << 20
SEVERITIES = {
    "low": analyzer_pb2.POLICY_SEVERITY_LOW,
    "medium": analyzer_pb2.POLICY_SEVERITY_MEDIUM,
    "high": analyzer_pb2.POLICY_SEVERITY_HIGH,
    "critical": analyzer_pb2.POLICY_SEVERITY_CRITICAL,
}
LEVELS = {"advisory": analyzer_pb2.ADVISORY, "mandatory": analyzer_pb2.MANDATORY, "disabled": analyzer_pb2.DISABLED}
CONFIGURED: dict[int, Setting] = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.REMEDIATE: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
}
WAIVERS = "waivers-valid"


def resource_of(message: Any) -> Resource:
    """A resource in a message of the engine."""
    dependencies = getattr(message, "propertyDependencies", {})
    return Resource(
        values=plain(json_format.MessageToDict(message.properties)),
        urn=message.urn,
        type=normal_type(message.type),
        name=message.name,
        protect=message.options.protect,
        custom=message.HasField("provider") or message.type.startswith("pulumi:providers:"),
        dependencies={key: list(each.urns) for key, each in dependencies.items()},
    )


class Pack(analyzer_pb2_grpc.AnalyzerServicer):
    """The calls that the engine makes; their names are the protocol's.

    `folder` holds policy.yaml and waivers.yaml. What cannot be decided stops `up`; a preview tells it, since the values
    come later. Fixes are applied where the engine's configuration sets a control to `remediate`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = read_policy_file(folder)
        self.preview = False
        self.remediated: set[str] = set()
        self.told: dict[str, int] = {}
        self.take(StackFacts())
        # What programs asked for, by URN; the engine shows a whole stack with what providers made of it.
        self.inputs: dict[str, Mapping[str, Any]] = {}

    def take(self, facts: StackFacts) -> None:
        """Go by the facts of a stack."""
        self.policy = make_policy(self.file, facts)
        self.waivers = read_waivers(self.folder, facts.environment)

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        policies = [info(control, self.policy) for control in CATALOGUE.controls if control.scope != "repository"]
        self.told = {each.name: each.enforcementLevel for each in policies}
        return analyzer_pb2.AnalyzerInfo(
            name=NAME,
            version=VERSION,
            displayName="groundplan",
            description="Controls for machine-learning platforms on AWS",
            supportsConfig=True,
            policies=policies,
        )

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.preview = request.dry_run
        try:
            self.take(from_config(request.config, f"stack {request.stack}"))
        except SettingsError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        # The engine sends a level for every control; those that it was told of are nobody's choice.
        chosen = {
            name: each.enforcementLevel
            for name, each in request.policyConfig.items()
            if name in self.told and self.told[name] != each.enforcementLevel
        }
        self.remediated = {name for name, level in chosen.items() if level == analyzer_pb2.REMEDIATE}
        levels = {**self.policy.levels, **{name: CONFIGURED[level] for name, level in chosen.items()}}
        self.policy = self.policy.model_copy(update={"levels": levels})
        return Empty()

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = resource_of(request)
        self.inputs[resource.urn] = resource.values
        alone = Stack([resource])
        found = [
            waived(finding, self.waivers, today())
            for control in controls_for(resource)
            if self.policy.level(control.id) != "disabled"
            for finding in examine(control, resource, alone, self.policy)
        ]
        return analyzer_pb2.AnalyzeResponse(diagnostics=self.diagnostics(found))

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        stack = Stack([self.as_asked_for(resource_of(each)) for each in request.resources])
        evaluation = evaluate(stack, self.policy, self.waivers, today())
        found = [
            finding
            for result in evaluation.results
            if result.control.scope in ("related", "stack")
            for finding in result.findings
        ]
        waivers = [
            analyzer_pb2.AnalyzeDiagnostic(
                **head(WAIVERS, "Waivers hold and are needed"), message=problem, enforcementLevel=analyzer_pb2.MANDATORY
            )
            for problem in evaluation.waiver_problems
        ]
        return analyzer_pb2.AnalyzeResponse(diagnostics=[*self.diagnostics(found), *waivers])

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = resource_of(request)
        response = analyzer_pb2.RemediateResponse()
        for control in controls_for(resource):
            if control.id not in self.remediated or control.id not in RULES.fixes:
                continue
            try:
                if not list(RULES.resource[control.id](resource, self.policy)):
                    continue
                resource = replace(resource, values=RULES.fixes[control.id](resource, self.policy))
            except UndecidedError as reason:
                response.remediations.add(**head(control.id, control.title), diagnostic=f"{reason} is not known")
                continue
            except UNREADABLE as error:
                response.remediations.add(**head(control.id, control.title), diagnostic=f"cannot be read: {error}")
                continue
            inputs = json_format.ParseDict(raw(resource.values), struct_pb2.Struct())
            response.remediations.add(**head(control.id, control.title), properties=inputs)
        return response

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return Empty()

    def as_asked_for(self, resource: Resource) -> Resource:
        """A resource of the whole stack with its inputs; what the provider made of them still tells its names."""
        names = (resource.peek(key) for key in ("id", "arn", "name", "bucket"))
        known = frozenset(each for each in names if isinstance(each, str))
        return replace(resource, values=self.inputs.get(resource.urn, resource.values), identifiers=known)

    def diagnostics(self, findings: Iterable[Finding]) -> Iterator[Any]:
        """What the engine is told of findings."""
        for finding in findings:
            if finding.status not in ("violated", "undecided"):
                continue
            control = CATALOGUE.by_id[finding.control]
            level, message = self.policy.level(control.id), f"{finding.message}. {control.remediation}"
            if finding.status == "undecided":
                message = f"cannot be decided: {finding.message}"
                if self.preview:
                    level, message = "advisory", f"{message} before `up`, which decides it"
            yield analyzer_pb2.AnalyzeDiagnostic(
                **head(control.id, control.title),
                message=message,
                urn=finding.urn,
                enforcementLevel=LEVELS[level],
                severity=SEVERITIES[control.severity],
            )


def head(control: str, title: str) -> dict[str, Any]:
    """What all messages about a control have in common."""
    return {"policyName": control, "policyPackName": NAME, "policyPackVersion": VERSION, "description": title}


def info(control: Control, policy: Policy) -> Any:
    """What the engine is told of a control."""
    kind = analyzer_pb2.POLICY_TYPE_RESOURCE if control.scope == "resource" else analyzer_pb2.POLICY_TYPE_STACK
    references = [f"{name}:{each}" for name in CATALOGUE.frameworks for each, _ in control.references(name)]
    return analyzer_pb2.PolicyInfo(
        name=control.id,
        displayName=control.title,
        description=control.why,
        enforcementLevel=LEVELS[policy.level(control.id)],
        policy_type=kind,
        severity=SEVERITIES[control.severity],
        tags=[control.area, *references],
        remediation_steps=control.remediation,
    )


def controls_for(resource: Resource) -> list[Control]:
    """The controls that judge a resource by itself."""
    return [each for each in CATALOGUE.controls if each.scope == "resource" and judges(each, resource)]


def today() -> datetime.date:
    """The day on which waivers must hold."""
    return datetime.datetime.now(datetime.UTC).date()


def serve(folder: Path) -> None:
    """Serve the pack of a folder until the engine ends this process, or is killed.

    A mistake in the pack's files is one line, and exit 1.
    """
    started_by = os.getppid()
    try:
        pack = Pack(folder)
    except SettingsError as error:
        sys.exit(f"error: {error}")
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    )
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(pack, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while server.wait_for_termination(timeout=1) and os.getppid() == started_by:
        pass
    server.stop(grace=None)
