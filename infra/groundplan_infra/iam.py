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


def trust(service: str, account: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    """Who may take a role: an AWS service, and only on behalf of this account where that is given."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if account is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return document(statement)


def trust_pods() -> Statement:
    """Pods of EKS may take a role, where an association says which."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }


def trust_tasks(account: pulumi.Input[str], pods: bool) -> pulumi.Output[str]:
    """Tasks of ECS and Batch may take a role, and pods too where that is asked for."""
    tasks: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return document(tasks, *([trust_pods()] if pods else []))


def read_write(bucket: pulumi.Input[str], prefix: str = "") -> list[Statement]:
    """Statements to read, list and write the objects of a bucket, below a prefix where one is given."""
    objects = pulumi.Output.concat(bucket, f"/{prefix}*")
    listing = {"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else None
    return [
        allow("s3:ListBucket", bucket, listing),
        allow("s3:GetBucketLocation", bucket),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], objects),
    ]


def read_only(bucket: pulumi.Input[str]) -> list[Statement]:
    """Statements to read and list the objects of a bucket."""
    return [
        allow(["s3:ListBucket", "s3:GetBucketLocation"], bucket),
        allow("s3:GetObject", pulumi.Output.concat(bucket, "/*")),
    ]


def use_key(key: pulumi.Input[str]) -> Statement:
    """A statement to encrypt and decrypt with a key."""
    return allow(["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], key)
