"""IAM documents: trust and permissions, written as statements, rendered as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Statement = dict[str, Any]


def allow(actions: str | Sequence[str], resources: Any, condition: Mapping[str, Any] | None = None) -> Statement:
    """A statement that allows `actions` on `resources` (ARNs, known or not)."""
    statement: Statement = {
        "Effect": "Allow",
        "Action": [actions] if isinstance(actions, str) else list(actions),
        "Resource": resources,
    }
    return {**statement, "Condition": dict(condition)} if condition else statement


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy document as JSON."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusted(service: str, account: pulumi.Input[str] | None = None) -> Statement:
    """A statement that lets an AWS service take a role, only on behalf of this account where that is given."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return (
        statement if account is None else {**statement, "Condition": {"StringEquals": {"aws:SourceAccount": account}}}
    )


def trust(service: str, account: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    """Who may take a role: an AWS service."""
    return document(trusted(service, account))


def trust_tasks(account: pulumi.Input[str], pods: bool) -> pulumi.Output[str]:
    """Tasks of ECS and Batch may take a role, and pods of EKS too where that is asked for."""
    to_pods = {**trusted("pods.eks"), "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return document(trusted("ecs-tasks", account), *([to_pods] if pods else []))


def run_container(images: Any, log_group: pulumi.Input[str]) -> list[Statement]:
    """Statements to fetch images (ARNs of their repositories) and to write to a log group (its ARN)."""
    return [
        allow("ecr:GetAuthorizationToken", "*"),
        allow(["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"], images),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], pulumi.Output.concat(log_group, ":*")),
    ]


def read_write(bucket: pulumi.Input[str], prefix: str = "") -> list[Statement]:
    """Statements to read, list and write the objects of a bucket, below a prefix where one is given."""
    objects = pulumi.Output.concat(bucket, f"/{prefix}*")
    listing = {"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else None
    return [
        allow("s3:ListBucket", bucket, listing),
        allow("s3:GetBucketLocation", bucket),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], objects),
    ]


def use_key(key: pulumi.Input[str]) -> Statement:
    """A statement to encrypt and decrypt with a key."""
    return allow(["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], key)
