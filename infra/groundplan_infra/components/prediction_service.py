"""A repository's prediction service on ECS Fargate, behind TLS."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.load_balancer import LoadBalancer, LoadBalancerArgs, egress_anywhere
from groundplan_infra.components.scaling import scale_on_cpu
from groundplan_infra.context import Context
from groundplan_infra.contract import PlatformOutputs
from groundplan_infra.sections import Service

PORT = 8000
CONTAINER = "serve"


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
        self.args = args
        self.security_group = aws.ec2.SecurityGroup(
            name,
            vpc_id=platform.vpc_id,
            description="The prediction service",
            tags=self.tags(name),
            opts=self.options(),
        )
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
        self.service = self.run()
        scale_on_cpu(self, self.service, config.tasks, config.max_tasks)
        self.url = self.balancer.url
        self.register_outputs({"url": self.url})

    def run(self) -> aws.ecs.Service:
        """The task and the service."""
        args, config, platform = self.args, self.args.config, self.args.platform
        definition = aws.ecs.TaskDefinition(
            self.name,
            family=self.name,
            cpu=str(config.cpu),
            memory=str(config.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=args.execution_role_arn,
            task_role_arn=args.task_role_arn,
            container_definitions=pulumi.Output.json_dumps([self.container()]),
            tags=self.tags(self.name),
            opts=self.options(),
        )
        return aws.ecs.Service(
            self.name,
            cluster=platform.serving_cluster_arn,
            task_definition=definition.arn,
            desired_count=config.tasks,
            capacity_provider_strategies=[
                {"capacity_provider": "FARGATE_SPOT" if config.spot else "FARGATE", "weight": 1}
            ],
            availability_zone_rebalancing="ENABLED",
            deployment_circuit_breaker={"enable": True, "rollback": True},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            health_check_grace_period_seconds=60,
            load_balancers=[
                {
                    "target_group_arn": self.balancer.target_group.arn,
                    "container_name": CONTAINER,
                    "container_port": PORT,
                }
            ],
            network_configuration={
                "subnets": platform.workload_subnet_ids,
                "security_groups": [self.security_group.id],
                "assign_public_ip": platform.workloads_are_public,
            },
            propagate_tags="SERVICE",
            tags=self.tags(self.name),
            opts=self.options(depends_on=[self.balancer.listener], ignore_changes=["desiredCount"]),
        )

    def container(self) -> dict[str, object]:
        """The serving image; its user may write nowhere but to its log folder."""
        return {
            "name": CONTAINER,
            "image": self.args.image,
            "essential": True,
            "portMappings": [{"containerPort": PORT, "protocol": "tcp"}],
            "environment": [
                {"name": "SERVE_HOST", "value": "0.0.0.0"},
                {"name": "SERVE_PORT", "value": str(PORT)},
                {"name": "AWS_REGION", "value": self.context.region},
            ],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.args.log_group,
                    "awslogs-region": self.context.region,
                    "awslogs-stream-prefix": CONTAINER,
                },
            },
        }
