"""The buckets of a platform: data, artifacts, released models, and the logs of them all."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.bucket import Bucket, BucketArgs, ObjectLock
from groundplan_infra.context import Context
from groundplan_infra.sections import Storage as StorageConfig


@dataclass(frozen=True)
class StorageArgs:
    """`config`: the stack's storage section; `key_arn`: key of data, artifacts and models."""

    config: StorageConfig
    key_arn: pulumi.Input[str]


class Storage(Component):
    """`dvc`, `artifacts` and `models` are encrypted with the data key and logged to `logs`."""

    dvc: aws.s3.Bucket
    artifacts: aws.s3.Bucket
    models: aws.s3.Bucket
    logs: aws.s3.Bucket
    logs_policy: aws.s3.BucketPolicy

    def __init__(
        self, name: str, context: Context, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Storage", name, context, opts)
        config = args.config
        logs = Bucket(
            self.child("logs"),
            context,
            BucketArgs(
                noncurrent_days=config.noncurrent_days,
                statements=self.log_writers(),
                expire_days=max(context.log_days, 90),
                force_destroy=config.force_destroy,
            ),
            self.options(),
        )
        self.logs, self.logs_policy = logs.bucket, logs.policy

        def bucket(purpose: str, lock: ObjectLock | None = None) -> aws.s3.Bucket:
            return Bucket(
                self.child(purpose),
                context,
                BucketArgs(
                    noncurrent_days=config.noncurrent_days,
                    key_arn=args.key_arn,
                    log_bucket=logs.bucket,
                    log_bucket_ready=[logs.policy],
                    object_lock=lock,
                    force_destroy=config.force_destroy,
                ),
                self.options(),
            ).bucket

        self.dvc = bucket("dvc")
        self.artifacts = bucket("artifacts")
        self.models = bucket("models", ObjectLock(config.model_retention_days, compliance=context.guarded))
        self.register_outputs({"dvc": self.dvc.id, "artifacts": self.artifacts.id, "models": self.models.id})

    def log_writers(self) -> list[iam.Statement]:
        """The services that deliver logs, each below a prefix of its own and only for this account."""
        account = self.context.account
        of_account = {"StringEquals": {"aws:SourceAccount": account}}

        def writes(service: str, prefix: str) -> iam.Statement:
            return {
                "Sid": f"{service.split('.')[0].capitalize()}Writes",
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": pulumi.Output.concat("/", prefix, "/*"),
                "Condition": of_account,
            }

        def looks(service: str) -> iam.Statement:
            return {
                "Sid": f"{service.capitalize()}Looks",
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
                "Resource": "",
                "Condition": of_account,
            }

        delivered = pulumi.Output.concat("alb/AWSLogs/", account)
        # The delivery of load balancer logs sends no source account; AWS documents this principal without a condition.
        balancer = {
            **writes("logdelivery.elasticloadbalancing", "alb"),
            "Resource": pulumi.Output.concat("/", delivered, "/*"),
        }
        del balancer["Condition"]
        return [
            writes("logging.s3", "s3"),
            balancer,
            writes("cloudtrail", "trail"),
            looks("cloudtrail"),
            writes("config", "config"),
            looks("config"),
        ]
