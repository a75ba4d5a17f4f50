"""A service on ECS Fargate behind a load balancer: what the tracking server and the prediction services share."""

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component
from groundplan_infra.components.load_balancer import LoadBalancer
from groundplan_infra.sections import ServerTracking, Service

TARGET_CPU_PERCENT = 70


@dataclass(frozen=True)
class FargateArgs:
    """`config`: size, tasks and Spot; `container`: name, image and variables; the rest: where it runs, and as whom.

    `starting_seconds`: how long a new task may take before its health counts.
    """

    config: ServerTracking | Service
    container: str
    image: pulumi.Input[str]
    port: int
    environment: dict[str, pulumi.Input[str]]
    log_group: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    execution_role_arn: pulumi.Input[str]
    task_role_arn: pulumi.Input[str]
    subnet_ids: Any
    public_addresses: pulumi.Input[bool]
    security_group: aws.ec2.SecurityGroup
    balancer: LoadBalancer
    starting_seconds: int
    secrets: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    after: list[pulumi.Resource] = field(default_factory=list)


def run_service(component: Component, args: FargateArgs) -> aws.ecs.Service:
    """Task, service and scaling, as children of a component and under its name.

    Tasks are replaced one by one; where a new one does not get healthy, the service goes back to the last.
    """
    name, config = component.name, args.config
    definition = aws.ecs.TaskDefinition(
        name,
        family=name,
        cpu=str(config.cpu),
        memory=str(config.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform={"cpu_architecture": "X86_64", "operating_system_family": "LINUX"},
        execution_role_arn=args.execution_role_arn,
        task_role_arn=args.task_role_arn,
        container_definitions=pulumi.Output.json_dumps([container_of(component, args)]),
        tags=component.tags(name),
        opts=component.options(),
    )
    service = aws.ecs.Service(
        name,
        cluster=args.cluster_arn,
        task_definition=definition.arn,
        desired_count=config.tasks,
        capacity_provider_strategies=[{"capacity_provider": "FARGATE_SPOT" if config.spot else "FARGATE", "weight": 1}],
        availability_zone_rebalancing="ENABLED",
        deployment_circuit_breaker={"enable": True, "rollback": True},
        deployment_minimum_healthy_percent=100,
        deployment_maximum_percent=200,
        health_check_grace_period_seconds=args.starting_seconds,
        load_balancers=[
            {
                "target_group_arn": args.balancer.target_group.arn,
                "container_name": args.container,
                "container_port": args.port,
            }
        ],
        network_configuration={
            "subnets": args.subnet_ids,
            "security_groups": [args.security_group.id],
            "assign_public_ip": args.public_addresses,
        },
        propagate_tags="SERVICE",
        tags=component.tags(name),
        opts=component.options(depends_on=[args.balancer.listener, *args.after], ignore_changes=["desiredCount"]),
    )
    scale_on_cpu(component, service, config.tasks, config.max_tasks)
    return service


def container_of(component: Component, args: FargateArgs) -> dict[str, object]:
    """The container's definition; a key that has nothing in it is left out."""
    secrets = [{"name": name, "valueFrom": value} for name, value in args.secrets.items()]
    return {
        "name": args.container,
        "image": args.image,
        "essential": True,
        "readonlyRootFilesystem": False,
        "portMappings": [{"containerPort": args.port, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in args.environment.items()],
        **({"secrets": secrets} if secrets else {}),
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": args.log_group,
                "awslogs-region": component.context.region,
                "awslogs-stream-prefix": args.container,
            },
        },
    }


def scale_on_cpu(component: Component, service: aws.ecs.Service, least: int, most: int) -> None:
    """Keep a service of ECS between `least` and `most` tasks, by the load of their processors."""
    cluster = service.cluster.apply(lambda arn: arn.rsplit("/", 1)[-1])
    target = aws.appautoscaling.Target(
        component.name,
        service_namespace="ecs",
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=pulumi.Output.concat("service/", cluster, "/", service.name),
        min_capacity=least,
        max_capacity=most,
        tags=component.tags(component.name),
        opts=component.options(),
    )
    aws.appautoscaling.Policy(
        component.name,
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration={
            "target_value": TARGET_CPU_PERCENT,
            "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
            "scale_in_cooldown": 300,
            "scale_out_cooldown": 60,
        },
        opts=component.options(),
    )
