"""What all components have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.context import Context


def dependencies(opts: pulumi.ResourceOptions | None) -> list[pulumi.Resource]:
    """What has to exist before, as a list."""
    after: Any = opts.depends_on if opts else None
    if after is None:
        return []
    return list(after) if isinstance(after, Sequence) else [after]


@dataclass(frozen=True)
class Former:
    """What a component was called in an earlier release; what is empty has stayed as it is."""

    kind: str = ""
    name: str = ""


def type_of(kind: str) -> str:
    """The type of a component, as it stands in the state."""
    return f"groundplan:aws:{kind}"


class Component(pulumi.ComponentResource):
    """A group of resources: its children are parented to it and begin with its name.

    `formerly` names what it was called, so that a stack that is up keeps it, and its children, when code moves.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        context: Context,
        opts: pulumi.ResourceOptions | None,
        *,
        formerly: Sequence[Former] = (),
    ) -> None:
        aliases = [pulumi.Alias(name=each.name or name, type_=type_of(each.kind or kind)) for each in formerly]
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=aliases or None))
        super().__init__(type_of(kind), name, None, options)
        self.name, self.context = name, context
        # The engine does not hand the dependencies of a component to its children; `options` does.
        self.after = dependencies(opts)

    def child(self, *parts: str) -> str:
        """The name of a child."""
        return "-".join([self.name, *parts])

    def options(self, *, stateful: bool = False, **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; stateful ones are protected in staging and prod."""
        after = [*self.after, *more.pop("depends_on", [])]
        protect = True if stateful and self.context.guarded else None
        return pulumi.ResourceOptions(parent=self, protect=protect, depends_on=after or None, **more)

    def tags(self, name: str, **more: str) -> dict[str, str]:
        """Tags of a child."""
        return self.context.tags(name, **more)

    def make_log_group(self, name: str, place: str, key_arn: pulumi.Input[str]) -> aws.cloudwatch.LogGroup:
        """An encrypted log group; logs are kept as long as the settings say."""
        return aws.cloudwatch.LogGroup(
            name,
            name=place,
            retention_in_days=self.context.log_days,
            kms_key_id=key_arn,
            tags=self.tags(name),
            opts=self.options(),
        )

    def make_role(self, name: str, trust: pulumi.Input[str], *statements: iam.Statement) -> aws.iam.Role:
        """A role that those named by `trust` may take, with these permissions."""
        role = aws.iam.Role(name, assume_role_policy=trust, tags=self.tags(name), opts=self.options())
        if statements:
            aws.iam.RolePolicy(name, role=role.id, policy=iam.document(*statements), opts=self.options())
        return role

    def make_launch_template(self, name: str, disk_gb: int, hop_limit: int) -> aws.ec2.LaunchTemplate:
        """Machines with an encrypted disk and without the first version of the metadata service.

        `hop_limit`: 1 keeps containers from the machine's metadata, 2 lets them reach it.
        """
        return aws.ec2.LaunchTemplate(
            name,
            update_default_version=True,
            metadata_options={
                "http_tokens": "required",
                "http_put_response_hop_limit": hop_limit,
                "http_endpoint": "enabled",
            },
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": disk_gb,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[{"resource_type": kind, "tags": self.tags(name)} for kind in ("instance", "volume")],
            tags=self.tags(name),
            opts=self.options(),
        )
