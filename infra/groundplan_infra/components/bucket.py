"""One bucket, with everything that makes it safe."""

from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context

ABORT_UPLOAD_DAYS = 7
TIERING_DAYS = 30


@dataclass(frozen=True)
class ObjectLock:
    """`days` that an object cannot be deleted, 0 for no default; `compliance`: not even by the root user."""

    days: int
    compliance: bool


@dataclass(frozen=True)
class BucketArgs:
    """How a bucket differs from the others.

    `key_arn`: KMS key, or None for S3's own encryption, which the delivery of load balancer logs demands.
    `log_bucket`: bucket that gets the access log. `statements`: further statements of the bucket's policy.
    `expire_days`: days after which objects are removed, 0 for never.
    """

    noncurrent_days: int
    key_arn: pulumi.Input[str] | None = None
    log_bucket: aws.s3.Bucket | None = None
    log_bucket_ready: list[pulumi.Resource] = field(default_factory=list)
    statements: list[iam.Statement] = field(default_factory=list)
    object_lock: ObjectLock | None = None
    expire_days: int = 0
    force_destroy: bool = False


class Bucket(Component):
    """Versioned, encrypted, private, TLS only, without ACLs, with a lifecycle and an access log."""

    bucket: aws.s3.Bucket
    policy: aws.s3.BucketPolicy

    def __init__(
        self, name: str, context: Context, args: BucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Bucket", name, context, opts)
        self.args = args
        self.bucket = aws.s3.Bucket(
            name,
            object_lock_enabled=args.object_lock is not None,
            force_destroy=args.force_destroy,
            tags=self.tags(name),
            opts=self.options(stateful=True),
        )
        self.block = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.options(),
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=self.bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self.options(depends_on=[self.block]),
        )
        self.versioning = aws.s3.BucketVersioning(
            name, bucket=self.bucket.id, versioning_configuration={"status": "Enabled"}, opts=self.options()
        )
        self.encryption()
        self.lifecycle()
        self.policy = self.bucket_policy()
        self.lock()
        self.access_log()
        self.register_outputs({"bucket": self.bucket.id})

    def encryption(self) -> None:
        """Default encryption; a bucket key spares most calls of KMS."""
        key = self.args.key_arn
        default: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = (
            {"sse_algorithm": "aws:kms", "kms_master_key_id": key} if key else {"sse_algorithm": "AES256"}
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            self.name,
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": default, "bucket_key_enabled": key is not None}],
            opts=self.options(),
        )

    def lifecycle(self) -> None:
        """Forget unfinished uploads and replaced versions; move what is seldom read to a cheaper tier."""
        rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": "housekeeping",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_UPLOAD_DAYS},
            "noncurrent_version_expiration": {"noncurrent_days": self.args.noncurrent_days},
        }
        if self.args.expire_days:
            rule["expiration"] = {"days": self.args.expire_days}
        else:
            rule["transitions"] = [{"days": TIERING_DAYS, "storage_class": "INTELLIGENT_TIERING"}]
        aws.s3.BucketLifecycleConfiguration(
            self.name, bucket=self.bucket.id, rules=[rule], opts=self.options(depends_on=[self.versioning])
        )

    def bucket_policy(self) -> aws.s3.BucketPolicy:
        """Nothing without TLS, plus what this bucket allows."""
        tls_only: iam.Statement = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [self.bucket.arn, pulumi.Output.concat(self.bucket.arn, "/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        statements = [self.on_this_bucket(statement) for statement in self.args.statements]
        return aws.s3.BucketPolicy(
            self.name,
            bucket=self.bucket.id,
            policy=iam.document(tls_only, *statements),
            opts=self.options(depends_on=[self.block]),
        )

    def on_this_bucket(self, statement: iam.Statement) -> iam.Statement:
        """A statement with its resource, written relative to the bucket, made whole."""
        return {**statement, "Resource": pulumi.Output.concat(self.bucket.arn, statement["Resource"])}

    def lock(self) -> None:
        """Retention by default, where the bucket has a lock."""
        lock = self.args.object_lock
        if lock and lock.days:
            aws.s3.BucketObjectLockConfiguration(
                self.name,
                bucket=self.bucket.id,
                rule={
                    "default_retention": {"mode": "COMPLIANCE" if lock.compliance else "GOVERNANCE", "days": lock.days}
                },
                opts=self.options(depends_on=[self.versioning]),
            )

    def access_log(self) -> None:
        """Who asked for which object, in the log bucket."""
        target = self.args.log_bucket
        if target is not None:
            aws.s3.BucketLogging(
                self.name,
                bucket=self.bucket.id,
                target_bucket=target.id,
                target_prefix=f"s3/{self.name}/",
                opts=self.options(depends_on=self.args.log_bucket_ready),
            )
