"""More tasks when the processors of a service are busy."""

import pulumi
import pulumi_aws as aws

from groundplan_infra.components.base import Component

TARGET_CPU_PERCENT = 70


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
