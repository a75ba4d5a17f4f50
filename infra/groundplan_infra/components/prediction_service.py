"""A repository's prediction service on ECS Fargate, behind TLS."""

from dataclasses import dataclass

import pulumi

from groundplan_infra.components.base import Component
from groundplan_infra.components.fargate import FargateArgs, run_service
from groundplan_infra.components.firewall import egress_anywhere, make_security_group
from groundplan_infra.components.load_balancer import LoadBalancer, LoadBalancerArgs
from groundplan_infra.context import Context
from groundplan_infra.contract import PlatformOutputs
from groundplan_infra.sections import Service

PORT = 8000


@dataclass(frozen=True)
class PredictionServiceArgs:
    """`config`: size and address; `image`: what runs; `platform`: where; roles of execution and task; log group."""

    config: Service
    image: pulumi.Input[str]
    platform: PlatformOutputs
    execution_role_arn: pulumi.Input[str]
    task_role_arn: pulumi.Input[str]
    log_group: pulumi.Input[str]


class PredictionService(Component):
    """A service that replaces its tasks one by one, and goes back when a new one does not get ready."""

    url: str

    def __init__(
        self, name: str, context: Context, args: PredictionServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("PredictionService", name, context, opts)
        config, platform = args.config, args.platform
        self.security_group = make_security_group(self, name, platform.vpc_id, "The prediction service")
        egress_anywhere(self, "out", self.security_group)
        self.balancer = LoadBalancer(
            self.child("balancer"),
            context,
            LoadBalancerArgs(
                vpc_id=platform.vpc_id,
                vpc_cidr=platform.vpc_cidr,
                public_subnet_ids=platform.public_subnet_ids,
                private_subnet_ids=platform.private_subnet_ids,
                allowed_cidrs=config.allowed_cidrs,
                domain=config.domain,
                certificate_arn=config.certificate_arn,
                hosted_zone_id=config.hosted_zone_id,
                logs_bucket=platform.logs_bucket,
                logs_bucket_ready=[],
                target_port=PORT,
                health_path="/health/ready",
                web_acl=config.web_acl,
            ),
            self.options(),
        )
        self.balancer.allow_to("service", self.security_group)
        run_service(
            self,
            FargateArgs(
                config=config,
                container="serve",
                image=args.image,
                port=PORT,
                environment={"SERVE_HOST": "0.0.0.0", "SERVE_PORT": str(PORT), "AWS_REGION": context.region},
                log_group=args.log_group,
                cluster_arn=platform.serving_cluster_arn,
                execution_role_arn=args.execution_role_arn,
                task_role_arn=args.task_role_arn,
                subnet_ids=platform.workload_subnet_ids,
                public_addresses=platform.workloads_are_public,
                security_group=self.security_group,
                balancer=self.balancer,
                starting_seconds=60,
            ),
        )
        self.url = self.balancer.url
        self.register_outputs({"url": self.url})
