"""Networks and what may enter them."""

from collections.abc import Iterator

from groundplan_policies.resource import Resource, Section, Stack, many
from groundplan_policies.rule import Messages, related_rule, resource_rule
from groundplan_policies.settings import Policy

EVERYONE = ("0.0.0.0/0", "::/0")


def open_to_everyone(rule: Section) -> bool:
    """Whether a rule names every address."""
    single = [rule.get("cidrIpv4", ""), rule.get("cidrIpv6", "")]
    lists = [*many(rule.get("cidrBlocks", [])), *many(rule.get("ipv6CidrBlocks", []))]
    return any(cidr in EVERYONE for cidr in [*single, *lists])


def ingress_rules(resource: Resource) -> Iterator[Section]:
    """The rules of a resource that let traffic in."""
    if resource.token == "ec2/securityGroup:SecurityGroup":
        yield from resource.sections("ingress")
    elif resource.token != "ec2/securityGroupRule:SecurityGroupRule" or resource.get("type") == "ingress":
        yield resource


@resource_rule("security-group-restricted-ingress")
def restricted_ingress(group: Resource, policy: Policy) -> Messages:
    for rule in ingress_rules(group):
        first, last = rule.number("fromPort", -1), rule.number("toPort", -1)
        one_port = first == last and first in policy.parameters.public_ports
        if open_to_everyone(rule) and not one_port:
            ports = "all ports" if rule.get("ipProtocol", rule.get("protocol")) in ("-1", "all") else f"port {first:g}"
            yield f"{ports} open to everyone"


@related_rule("vpc-default-security-group-closed")
def default_group_closed(vpc: Resource, stack: Stack, policy: Policy) -> Messages:
    groups = stack.referring(vpc, "ec2/defaultSecurityGroup:DefaultSecurityGroup", "vpcId")
    if not groups:
        yield "the default security group lets its members talk to each other; take it over, without rules"
    for group in groups:
        if group.sections("ingress") or group.sections("egress"):
            yield "the default security group has rules; whoever names no group gets them"


@related_rule("vpc-flow-logs-enabled")
def flow_logs(vpc: Resource, stack: Stack, policy: Policy) -> Messages:
    if not stack.referring(vpc, "ec2/flowLog:FlowLog", "vpcId"):
        yield "no flow log: nobody can tell who talked to whom"


@related_rule("vpc-s3-gateway-endpoint")
def s3_gateway(vpc: Resource, stack: Stack, policy: Policy) -> Messages:
    endpoints = stack.referring(vpc, "ec2/vpcEndpoint:VpcEndpoint", "vpcId")
    gateways = [each for each in endpoints if each.get("vpcEndpointType", "Gateway") == "Gateway"]
    if not any(str(each.get("serviceName", "")).endswith(".s3") for each in gateways):
        yield "no gateway endpoint for S3: training data passes the NAT gateway, and is paid by the gigabyte"


@related_rule("nat-not-in-dev")
def nat_not_in_dev(gateway: Resource, stack: Stack, policy: Policy) -> Messages:
    needed = bool(stack.of("eks/cluster:Cluster"))
    if policy.environment in ("local", "dev") and not needed:
        yield "33 USD a month for a NAT gateway in an environment that is used by day"
