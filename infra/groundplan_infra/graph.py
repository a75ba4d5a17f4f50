"""A program's resources, captured without an engine and without a cloud: what policies, cost and diagrams are made
from.

The program registers its resources with a monitor that answers with made-up outputs. Same program and configuration,
same graph.
"""

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc, set_mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import ROOT

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SECRET = "[secret]"


@dataclass(frozen=True)
class Resource:
    """A registered resource.

    `inputs` have camelCase keys, as policies see them; `dependencies` are URNs; `property_dependencies` are the URNs
    that each input came from, known or not.
    """

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: dict[str, Any]
    provider: str
    protect: bool
    dependencies: list[str]
    property_dependencies: dict[str, list[str]]
    aliases: list[str]
    ignore_changes: list[str]

    @property
    def is_aws(self) -> bool:
        """Whether it is a thing in AWS, and neither a component nor a provider."""
        return self.custom and self.type.startswith("aws:")


@dataclass(frozen=True)
class Graph:
    """All resources of a stack in the order of their URNs, and the stack's outputs."""

    project: str
    stack: str
    resources: list[Resource]
    outputs: dict[str, Any]

    @cached_property
    def by_urn(self) -> dict[str, Resource]:
        """The resources by their URNs."""
        return {each.urn: each for each in self.resources}

    def of_type(self, token: str) -> list[Resource]:
        """The resources of a type, as `aws:s3/bucket:Bucket`."""
        return [resource for resource in self.resources if resource.type == token]

    def component_of(self, resource: Resource) -> str:
        """Name of the outermost component but one below the root that a resource belongs to."""
        chain = [resource]
        while chain[-1].parent in self.by_urn:
            chain.append(self.by_urn[chain[-1].parent])
        components = [each for each in reversed(chain) if not each.custom and each.type.startswith("groundplan:")]
        return components[1].name if len(components) > 1 else components[0].name if components else ""

    def to_json(self) -> str:
        """The graph as text that is the same for the same graph."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


class MadeUpCloud(Mocks):
    """Answers a program as AWS would: the inputs, an id, and the values that other resources refer to."""

    def __init__(self, stacks: Mapping[str, Mapping[str, Any]]) -> None:
        self.stacks = stacks

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            outputs = self.stacks.get(args.inputs["name"], {})
            return args.name, {"name": args.inputs["name"], "outputs": dict(outputs)}
        if not args.typ.startswith("aws:"):
            return args.name, dict(args.inputs)
        return f"{args.name}-id", {**made_up(args.typ, args.name), **args.inputs}

    def call(self, args: MockCallArgs) -> Any:
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "id": ACCOUNT, "userId": ACCOUNT}
        raise NotImplementedError(f"the captured program asks AWS for {args.token}, which the capture cannot answer")


def made_up(token: str, name: str) -> dict[str, Any]:
    """Outputs that components use of each other, made from the name alone."""
    service, kind = token.split(":")[1].split("/")
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}/{name}"
    common = {"arn": f"arn:aws:s3:::{name}" if kind == "bucket" else arn, "name": name, "bucket": name}
    special: dict[str, dict[str, Any]] = {
        "aws:rds/instance:Instance": {
            "address": f"{name}.rds.invalid",
            "identifier": name,
            "masterUserSecrets": [{"secretArn": f"{arn}-secret", "secretStatus": "active"}],
        },
        "aws:acm/certificate:Certificate": {
            "domainValidationOptions": [
                {"resourceRecordName": "_proof", "resourceRecordType": "CNAME", "resourceRecordValue": "proof.invalid"}
            ]
        },
        "aws:acm/certificateValidation:CertificateValidation": {"certificateArn": arn},
        "aws:route53/record:Record": {"fqdn": f"{name}.invalid"},
        "aws:ecr/repository:Repository": {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"},
        "aws:lb/loadBalancer:LoadBalancer": {
            "dnsName": f"{name}.elb.invalid",
            "zoneId": "Z1",
            "arnSuffix": f"app/{name}/1",
        },
        "aws:lb/targetGroup:TargetGroup": {"arnSuffix": f"targetgroup/{name}/1"},
        "aws:kms/key:Key": {"keyId": f"{name}-key"},
        "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
        "aws:amp/workspace:Workspace": {"prometheusEndpoint": f"https://{name}.aps.invalid/"},
    }
    return {**common, **special.get(token, {})}


class Recorder(MockMonitor):
    """A monitor that keeps every registration as it was asked for."""

    def __init__(self, mocks: Mocks, project: str, stack: str) -> None:
        super().__init__(mocks)
        self.project, self.stack = project, stack
        self.registered: list[Resource] = []
        self.outputs: dict[str, Any] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """A URN as the engine makes it: with the types of all ancestors."""
        ancestors = parent.split("::")[2] if parent else ""
        if ancestors and not ancestors.endswith("pulumi:pulumi:Stack"):
            type_ = f"{ancestors}${type_}"
        return f"urn:pulumi:{self.stack}::{self.project}::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the name of the engine's call)
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.registered.append(registered(request, answer.urn))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if "pulumi:pulumi:Stack" in request.urn.split("::")[2].split("$")[-1]:
            self.outputs = plain(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)


def registered(request: Any, urn: str) -> Resource:
    """A registration, as a Resource."""
    dependencies = {name: sorted(each.urns) for name, each in request.propertyDependencies.items() if each.urns}
    return Resource(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=plain(rpc.deserialize_properties(request.object)),
        provider=request.provider,
        protect=request.protect,
        dependencies=sorted(request.dependencies),
        property_dependencies=dict(sorted(dependencies.items())),
        aliases=sorted(alias.urn for alias in request.aliases),
        ignore_changes=sorted(request.ignoreChanges),
    )


def plain(value: Any) -> Any:
    """A value without Pulumi's wrappers; a secret shows that it is one, and not what it is."""
    if isinstance(value, Mapping):
        if rpc._special_secret_sig == value.get(rpc._special_sig_key):
            return SECRET
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def capture(
    program: Callable[[], Any],
    project: str = "groundplan-platform",
    stack: str = "dev",
    stacks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Graph:
    """Run a program against the made-up cloud and give its graph; `stacks` are the outputs of stacks it refers to.

    Raises what the program raises.
    """
    recorder = Recorder(MadeUpCloud(stacks or {}), project, stack)
    contextvars.copy_context().run(run_recorded, recorder, program, project, stack)
    return Graph(project, stack, sorted(recorder.registered, key=lambda each: each.urn), recorder.outputs)


def run_recorded(recorder: Recorder, program: Callable[[], Any], project: str, stack: str) -> None:
    """Run a program with a monitor; the runtime's settings are those of this context only."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        quiet = logging.getLogger("groundplan.capture")
        set_mocks(recorder.mocks, project=project, stack=stack, preview=False, monitor=recorder, logger=quiet)
        # set_mocks leaves a root stack behind; run_in_stack makes its own, so that outputs reach the recorder.
        ROOT.set(None)
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
