"""An ECS cluster for prediction services."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.firewall import egress_anywhere, make_security_group
from groundplan_infra.components.network import Network
from groundplan_infra.context import Context


@dataclass(frozen=True)
class ServingClusterArgs:
    """`network`: where services run; `logs_key_arn`: key of their logs; `spot`: Fargate Spot by default."""

    network: Network
    logs_key_arn: pulumi.Input[str]
    spot: bool


class ServingCluster(Component):
    """Where each repository puts its service; empty, it costs nothing."""

    cluster: aws.ecs.Cluster

    def __init__(
        self, name: str, context: Context, args: ServingClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ServingCluster", name, context, opts)
        self.cluster = aws.ecs.Cluster(
            name,
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=self.tags(name),
            opts=self.options(),
        )
        aws.ecs.ClusterCapacityProviders(
            name,
            cluster_name=self.cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategies=[
                {"capacity_provider": "FARGATE_SPOT" if args.spot else "FARGATE", "weight": 1}
            ],
            opts=self.options(),
        )
        self.security_group = make_security_group(
            self, name, args.network.vpc.id, "Prediction services: out; in only where a service says so"
        )
        egress_anywhere(self, "services", self.security_group)
        self.log_group = self.make_log_group(name, f"/groundplan/{context.prefix}/serving", args.logs_key_arn)
        self.register_outputs({"cluster": self.cluster.arn})
