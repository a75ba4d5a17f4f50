"""AWS Batch: training jobs on machines that exist while there is work."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.firewall import egress_anywhere, make_security_group
from groundplan_infra.components.network import Network
from groundplan_infra.context import Context
from groundplan_infra.sections import BatchCompute

ROOT_DISK_GB = 100
ECS_INSTANCE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
BATCH_SERVICE_POLICY = "arn:aws:iam::aws:policy/service-role/AWSBatchServiceRole"


@dataclass(frozen=True)
class BatchArgs:
    """`config`: queues and caps; `network`: where machines run; `logs_key_arn`: key of the jobs' logs."""

    config: BatchCompute
    network: Network
    logs_key_arn: pulumi.Input[str]


class Batch(Component):
    """Queues `cpu` and, where configured, `gpu`.

    No machine runs while a queue is empty, and never more than the cap.
    """

    queues: dict[str, aws.batch.JobQueue]
    log_group: aws.cloudwatch.LogGroup

    def __init__(
        self, name: str, context: Context, args: BatchArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Batch", name, context, opts)
        self.args = args
        config = args.config
        self.security_group = make_security_group(
            self, self.child("jobs"), args.network.vpc.id, "Training jobs: out, never in"
        )
        egress_anywhere(self, "jobs", self.security_group)
        self.log_group = self.make_log_group(
            self.child("jobs"), f"/groundplan/{context.prefix}/jobs", args.logs_key_arn
        )
        self.service_role, attached = self.managed_role("service", "batch", BATCH_SERVICE_POLICY)
        instance_role, _ = self.managed_role("instance", "ec2", ECS_INSTANCE_POLICY)
        self.ready: list[pulumi.Resource] = [attached]
        self.profile = aws.iam.InstanceProfile(
            self.child("instance"),
            role=instance_role.name,
            tags=self.tags(self.child("instance")),
            opts=self.options(),
        )
        self.template = self.make_launch_template(self.child("machines"), ROOT_DISK_GB, hop_limit=2)
        self.queues = {"cpu": self.queue("cpu", config.instance_types, config.max_vcpus)}
        if config.gpu:
            self.queues["gpu"] = self.queue("gpu", config.gpu.instance_types, config.gpu.max_vcpus)
        self.register_outputs({kind: queue.arn for kind, queue in self.queues.items()})

    def managed_role(self, purpose: str, service: str, policy: str) -> tuple[aws.iam.Role, pulumi.Resource]:
        """A role with the policy that AWS keeps for it; its attachment has to outlive what uses the role."""
        name = self.child(purpose)
        role = self.make_role(name, iam.trust(service))
        return role, aws.iam.RolePolicyAttachment(name, role=role.name, policy_arn=policy, opts=self.options())

    def queue(self, kind: str, instance_types: list[str], max_vcpus: int) -> aws.batch.JobQueue:
        """A queue and the machines behind it."""
        name, spot = self.child(kind), self.args.config.spot
        environment = aws.batch.ComputeEnvironment(
            name,
            type="MANAGED",
            service_role=self.service_role.arn,
            compute_resources={
                "type": "SPOT" if spot else "EC2",
                "allocation_strategy": "SPOT_PRICE_CAPACITY_OPTIMIZED" if spot else "BEST_FIT_PROGRESSIVE",
                "instance_types": instance_types,
                "min_vcpus": 0,
                "max_vcpus": max_vcpus,
                "subnets": self.args.network.workload_subnet_ids,
                "security_group_ids": [self.security_group.id],
                "instance_role": self.profile.arn,
                "launch_template": {"launch_template_id": self.template.id, "version": "$Latest"},
                "ec2_configurations": [{"image_type": "ECS_AL2023_NVIDIA" if kind == "gpu" else "ECS_AL2023"}],
                "tags": self.tags(name),
            },
            tags=self.tags(name),
            opts=self.options(depends_on=self.ready),
        )
        return aws.batch.JobQueue(
            name,
            state="ENABLED",
            priority=1,
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            tags=self.tags(name),
            opts=self.options(),
        )
