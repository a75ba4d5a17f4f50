"""A Kubernetes cluster on EKS."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.network import Network
from groundplan_infra.context import Context
from groundplan_infra.sections import EksCompute

LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
ADDONS = ["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"]
NODE_POLICIES = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"]
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
NODE_DISK_GB = 50
GPU_DISK_GB = 200


@dataclass(frozen=True)
class EksArgs:
    """`config`: version, access and nodes; `network`: private subnets; keys for secrets and logs."""

    config: EksCompute
    network: Network
    data_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]


class Eks(Component):
    """Private API unless ranges are named, secrets under our key, all five logs, access by entries and not by a
    ConfigMap, pod identity instead of keys, nodes with encrypted disks and without the first version of the metadata
    service."""

    cluster: aws.eks.Cluster

    def __init__(self, name: str, context: Context, args: EksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Eks", name, context, opts)
        self.args = args
        config = args.config
        logs = self.make_log_group(name, f"/aws/eks/{name}/cluster", args.logs_key_arn)
        role, attached = self.managed_role("cluster", "eks", ["AmazonEKSClusterPolicy"])
        self.cluster = aws.eks.Cluster(
            name,
            name=name,
            version=config.version,
            role_arn=role.arn,
            vpc_config={
                "subnet_ids": args.network.private_subnet_ids,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(config.public_cidrs),
                "public_access_cidrs": config.public_cidrs or None,
            },
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": not config.admin_role_arns,
            },
            encryption_config={"resources": ["secrets"], "provider": {"key_arn": args.data_key_arn}},
            enabled_cluster_log_types=LOG_TYPES,
            upgrade_policy={"support_type": "STANDARD"},
            bootstrap_self_managed_addons=False,
            tags=self.tags(name),
            opts=self.options(stateful=True, depends_on=[logs, *attached]),
        )
        self.node_role, self.node_policies = self.managed_role("node", "ec2", NODE_POLICIES)
        for addon in ADDONS:
            if addon != "coredns":
                self.addon(addon, [])
        nodes = self.node_groups()
        self.addon("coredns", nodes)
        for number, arn in enumerate(config.admin_role_arns):
            self.admin(number, arn)
        self.register_outputs({"cluster": self.cluster.name})

    def managed_role(
        self, purpose: str, service: str, policies: list[str]
    ) -> tuple[aws.iam.Role, list[aws.iam.RolePolicyAttachment]]:
        """A role with policies that AWS keeps."""
        name = self.child(purpose)
        role = self.make_role(name, iam.trust(service))
        attached = [
            aws.iam.RolePolicyAttachment(
                self.child(purpose, policy),
                role=role.name,
                policy_arn=f"arn:aws:iam::aws:policy/{policy}",
                opts=self.options(),
            )
            for policy in policies
        ]
        return role, attached

    def node_groups(self) -> list[pulumi.Resource]:
        """System nodes, and GPU nodes that are scaled up from none."""
        config = self.args.config
        groups: list[pulumi.Resource] = [
            self.node_group(
                "system",
                config.instance_types,
                {"min_size": config.min_nodes, "max_size": config.max_nodes, "desired_size": config.min_nodes},
                disk_gb=NODE_DISK_GB,
            )
        ]
        if config.gpu:
            groups.append(
                self.node_group(
                    "gpu",
                    config.gpu.instance_types,
                    {"min_size": 0, "max_size": max(1, config.gpu.max_vcpus // 4), "desired_size": 0},
                    disk_gb=GPU_DISK_GB,
                    gpu=True,
                )
            )
        return groups

    def node_group(
        self,
        kind: str,
        instance_types: list[str],
        scaling: aws.eks.NodeGroupScalingConfigArgsDict,
        disk_gb: int,
        gpu: bool = False,
    ) -> aws.eks.NodeGroup:
        """Machines of one kind; the cluster's autoscaler moves their number, so Pulumi leaves it alone."""
        name = self.child(kind)
        template = self.make_launch_template(name, disk_gb, hop_limit=1)
        return aws.eks.NodeGroup(
            name,
            cluster_name=self.cluster.name,
            node_role_arn=self.node_role.arn,
            subnet_ids=self.args.network.private_subnet_ids,
            instance_types=instance_types,
            ami_type="AL2023_x86_64_NVIDIA" if gpu else "AL2023_x86_64_STANDARD",
            capacity_type="SPOT" if self.args.config.spot else "ON_DEMAND",
            scaling_config=scaling,
            update_config={"max_unavailable": 1},
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            labels={"groundplan/pool": kind},
            taints=[{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}] if gpu else None,
            tags=self.tags(name),
            opts=self.options(depends_on=self.node_policies, ignore_changes=["scalingConfig.desiredSize"]),
        )

    def addon(self, addon: str, after: list[pulumi.Resource]) -> None:
        """A part of the cluster that AWS keeps up to date."""
        aws.eks.Addon(
            self.child(addon),
            cluster_name=self.cluster.name,
            addon_name=addon,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",
            tags=self.tags(self.child(addon)),
            opts=self.options(depends_on=after),
        )

    def admin(self, number: int, arn: str) -> None:
        """An IAM role that administers the cluster."""
        name = self.child("admin", str(number))
        entry = aws.eks.AccessEntry(
            name, cluster_name=self.cluster.name, principal_arn=arn, tags=self.tags(name), opts=self.options()
        )
        aws.eks.AccessPolicyAssociation(
            name,
            cluster_name=self.cluster.name,
            principal_arn=entry.principal_arn,
            policy_arn=ADMIN_POLICY,
            access_scope={"type": "cluster"},
            opts=self.options(),
        )
