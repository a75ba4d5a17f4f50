"""What a stack costs a month before data and jobs, from its graph and an offline, dated table of prices."""

import importlib.resources
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from groundplan_infra.config import ConfigError
from groundplan_infra.graph import Graph, Resource

MIB_PER_GB = 1024
CPU_UNITS = 1024


class Price(BaseModel):
    """A price and the page that it stands on."""

    usd: float
    source: str


class UsePrice(Price):
    """A price by use."""

    what: str
    per: str


class HourlyPrices(BaseModel):
    """Prices by the hour of one kind of machine."""

    source: str
    usd_hour: dict[str, float]


class PriceTable(BaseModel):
    """prices.yaml."""

    dated: Any
    region: str
    hours: int
    prices: dict[str, Price]
    databases: HourlyPrices
    instances: HourlyPrices
    by_use: dict[str, UsePrice]

    def month(self, name: str) -> float:
        """Price of a month, of an item that is priced by the hour or by the month."""
        return self.prices[name].usd * (self.hours if name.endswith("_hour") else 1)


class UnknownPriceError(ConfigError):
    """The table has no price of something that costs by the hour; the message says which, and where to add it."""


@dataclass(frozen=True)
class Line:
    """One item: USD a month, the component and resource it belongs to, and where its price is from."""

    component: str
    resource: str
    what: str
    usd: float
    source: str


@dataclass(frozen=True)
class Estimate:
    """All items, what is paid by use on top, and what a reader should be warned of."""

    lines: list[Line]
    by_use: list[str]
    warnings: list[str]
    dated: str

    @property
    def total(self) -> float:
        """USD a month."""
        return round(sum(line.usd for line in self.lines), 2)

    def by_component(self) -> dict[str, float]:
        """USD a month of each component, the dearest first."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.component] = sums.get(line.component, 0) + line.usd
        return {name: round(usd, 2) for name, usd in sorted(sums.items(), key=lambda item: -item[1])}


@cache
def price_table() -> PriceTable:
    """The table of this version."""
    text = importlib.resources.files("groundplan_infra").joinpath("prices.yaml").read_text()
    return PriceTable.model_validate(yaml.safe_load(text))


def hourly(prices: HourlyPrices, kind: str, name: str) -> float:
    """Price of a machine by the hour; raises UnknownPriceError."""
    if name not in prices.usd_hour:
        raise UnknownPriceError(f"no price of {kind} {name}; add it to prices.yaml, from {prices.source}")
    return prices.usd_hour[name]


def one(name: str, what: str) -> Callable[[Resource, Graph, PriceTable], Iterable[tuple[str, float, str]]]:
    """A type of resource that has one price."""

    def price(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
        yield what, table.month(name), table.prices[name].source

    return price


def endpoint(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """Interface endpoints cost in each zone, gateways nothing."""
    if resource.inputs.get("vpcEndpointType") == "Interface":
        zones = len(resource.inputs["subnetIds"])
        each = table.prices["interface_endpoint_hour"]
        yield f"interface endpoint in {zones} zones", zones * table.month("interface_endpoint_hour"), each.source


def balancer(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """The balancer, and a public address in each zone where it faces the internet."""
    yield "load balancer", table.month("balancer_hour"), table.prices["balancer_hour"].source
    if not resource.inputs.get("internal"):
        addresses = len(resource.inputs["subnets"])
        source = table.prices["public_ipv4_hour"].source
        yield f"{addresses} public addresses", addresses * table.month("public_ipv4_hour"), source


def service(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """The tasks of a Fargate service, and their public addresses."""
    urns = resource.property_dependencies["taskDefinition"]
    definition = next(each for each in graph.of_type("aws:ecs/taskDefinition:TaskDefinition") if each.urn in urns)
    vcpus, gb = int(definition.inputs["cpu"]) / CPU_UNITS, int(definition.inputs["memory"]) / MIB_PER_GB
    tasks = int(resource.inputs["desiredCount"])
    usd = vcpus * table.month("fargate_vcpu_hour") + gb * table.month("fargate_gb_hour")
    strategies = resource.inputs.get("capacityProviderStrategies") or []
    spot = any(each["capacityProvider"] == "FARGATE_SPOT" for each in strategies)
    share = table.prices["fargate_spot_share"].usd if spot else 1.0
    what = f"{tasks} x {vcpus:g} vCPU, {gb:g} GB{' on Spot' if spot else ''}"
    yield what, tasks * usd * share, table.prices["fargate_vcpu_hour"].source
    if resource.inputs["networkConfiguration"].get("assignPublicIp"):
        source = table.prices["public_ipv4_hour"].source
        yield f"{tasks} public addresses", tasks * table.month("public_ipv4_hour"), source


def database(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """The instance, its storage, and both again for a standby; its password is a secret."""
    kind, copies = resource.inputs["instanceClass"], 2 if resource.inputs.get("multiAz") else 1
    standby = " with standby" if copies == 2 else ""
    yield (
        f"{kind}{standby}",
        copies * hourly(table.databases, "database", kind) * table.hours,
        table.databases.source,
    )
    gb = resource.inputs["allocatedStorage"]
    each = table.prices["rds_gp3_gb_month"]
    yield f"{gb:g} GB{standby}", copies * gb * each.usd, each.source
    yield "secret of the password", table.month("secret_month"), table.prices["secret_month"].source


def web_acl(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """The list and its rules."""
    rules = len(resource.inputs["rules"])
    usd = table.month("web_acl_month") + rules * table.month("web_acl_rule_month")
    yield f"web ACL with {rules} rules", usd, table.prices["web_acl_month"].source


def nodes(resource: Resource, graph: Graph, table: PriceTable) -> Iterable[tuple[str, float, str]]:
    """The nodes that always run."""
    count, kind = int(resource.inputs["scalingConfig"]["desiredSize"]), resource.inputs["instanceTypes"][0]
    spot = resource.inputs["capacityType"] == "SPOT"
    share = table.prices["spot_share"].usd if spot else 1.0
    if count:
        usd = count * hourly(table.instances, "machine", kind) * table.hours * share
        yield f"{count} x {kind}{' on Spot' if spot else ''}", usd, table.instances.source


PRICED: dict[str, Callable[[Resource, Graph, PriceTable], Iterable[tuple[str, float, str]]]] = {
    "aws:ec2/natGateway:NatGateway": one("nat_gateway_hour", "NAT gateway"),
    "aws:ec2/eip:Eip": one("public_ipv4_hour", "public address"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": endpoint,
    "aws:lb/loadBalancer:LoadBalancer": balancer,
    "aws:ecs/service:Service": service,
    "aws:rds/instance:Instance": database,
    "aws:kms/key:Key": one("kms_key_month", "key"),
    "aws:secretsmanager/secret:Secret": one("secret_month", "secret"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": one("alarm_month", "alarm"),
    "aws:wafv2/webAcl:WebAcl": web_acl,
    "aws:route53/zone:Zone": one("hosted_zone_month", "hosted zone"),
    "aws:eks/cluster:Cluster": one("eks_cluster_hour", "control plane"),
    "aws:eks/nodeGroup:NodeGroup": nodes,
}


def estimate(graph: Graph) -> Estimate:
    """The monthly cost of a stack while nobody uses it; raises UnknownPriceError."""
    table = price_table()
    lines, by_use = [], set()
    for resource in graph.resources:
        component = graph.component_of(resource)
        for what, usd, source in PRICED.get(resource.type, lambda *_: ())(resource, graph, table):
            lines.append(Line(component, resource.name, what, usd, source))
        if resource.type in table.by_use:
            price = table.by_use[resource.type]
            by_use.add(f"{component}: {price.what}, {price.usd:g} USD per {price.per} ({price.source})")
    return Estimate(lines, sorted(by_use), warnings(graph, table), str(table.dated))


def warnings(graph: Graph, table: PriceTable) -> list[str]:
    """What surprises people on the invoice."""
    found = []
    gateways = len(graph.of_type("aws:ec2/natGateway:NatGateway"))
    if gateways:
        usd = gateways * table.month("nat_gateway_hour")
        found.append(f"{gateways} NAT gateways cost {usd:.2f} USD a month before any traffic, and 0.045 USD per GB")
    for environment in graph.of_type("aws:batch/computeEnvironment:ComputeEnvironment"):
        resources = environment.inputs["computeResources"]
        for kind in resources["instanceTypes"]:
            if kind[0] in "gp" and kind in table.instances.usd_hour:
                usd = table.instances.usd_hour[kind]
                found.append(
                    f"{environment.name}: a {kind} costs {usd:.2f} USD an hour, {usd * table.hours:.0f} a month"
                )
    return found


def report(found: Estimate) -> str:
    """The estimate as Markdown."""
    lines = ["| component | USD a month |", "| --- | ---: |"]
    lines += [f"| {name} | {usd:.2f} |" for name, usd in found.by_component().items()]
    lines += [f"| **total before data and jobs** | **{found.total:.2f}** |", ""]
    lines += [f"- {line.component}: {line.what}: {line.usd:.2f} ({line.source})" for line in found.lines]
    if found.by_use:
        lines += ["", "Paid by use, not counted:", "", *(f"- {each}" for each in found.by_use)]
    if found.warnings:
        lines += ["", "Mind:", "", *(f"- {each}" for each in found.warnings)]
    return "\n".join([*lines, "", f"List prices of us-east-1 as of {found.dated}."])


def delta(before: Estimate, after: Estimate) -> str:
    """What a change does to the monthly cost, as Markdown for a pull request."""
    old, new = before.by_component(), after.by_component()
    lines = ["| component | before | after | change |", "| --- | ---: | ---: | ---: |"]
    for name in sorted({*old, *new}):
        was, becomes = old.get(name, 0.0), new.get(name, 0.0)
        if round(was - becomes, 2):
            lines.append(f"| {name} | {was:.2f} | {becomes:.2f} | {becomes - was:+.2f} |")
    change = after.total - before.total
    lines.append(f"| **total** | **{before.total:.2f}** | **{after.total:.2f}** | **{change:+.2f}** |")
    added = [each for each in after.warnings if each not in before.warnings]
    return "\n".join([*lines, *(["", *(f"- {each}" for each in added)] if added else [])])
