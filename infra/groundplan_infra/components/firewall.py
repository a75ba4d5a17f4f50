"""Security groups, and the rules that several components need."""

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.network import ANYWHERE


def make_security_group(
    component: Component, name: str, vpc_id: pulumi.Input[str], description: str
) -> aws.ec2.SecurityGroup:
    """A group without rules: nothing in, nothing out."""
    return aws.ec2.SecurityGroup(
        name, vpc_id=vpc_id, description=description, tags=component.tags(name), opts=component.options()
    )


def let_in(
    component: Component,
    name: str,
    group_id: pulumi.Input[str],
    source_id: pulumi.Input[str],
    port: int,
    description: str,
) -> None:
    """Let the members of one group reach those of another at a port."""
    aws.vpc.SecurityGroupIngressRule(
        component.child(name),
        security_group_id=group_id,
        referenced_security_group_id=source_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=description,
        opts=component.options(),
    )


def egress_anywhere(component: Component, name: str, group: aws.ec2.SecurityGroup) -> None:
    """Let the members of a group call out, over TLS and to the database."""
    for port, what in ((443, "HTTPS"), (5432, "PostgreSQL")):
        aws.vpc.SecurityGroupEgressRule(
            component.child(name, str(port)),
            security_group_id=group.id,
            cidr_ipv4=ANYWHERE,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=what,
            opts=component.options(),
        )
