"""The account's audit trail: who did what, what changed, what looks wrong."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.components.storage import Storage
from groundplan_infra.context import Context
from groundplan_infra.sections import Audit as AuditConfig

CONFIG_POLICY = "arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"


@dataclass(frozen=True)
class AuditArgs:
    """`config`: which parts; `storage`: bucket of the logs and buckets to watch; `logs_key_arn`: key of the trail."""

    config: AuditConfig
    storage: Storage
    logs_key_arn: pulumi.Input[str]


class Audit(Component):
    """CloudTrail in all regions with validation, Config, GuardDuty, Access Analyzer, no public buckets."""

    def __init__(
        self, name: str, context: Context, args: AuditArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Audit", name, context, opts)
        self.args = args
        self.trail()
        if args.config.config_recorder:
            self.recorder()
        if args.config.guard_duty:
            aws.guardduty.Detector(
                name,
                enable=True,
                finding_publishing_frequency="ONE_HOUR",
                tags=self.tags(name),
                opts=self.options(),
            )
        aws.accessanalyzer.Analyzer(name, analyzer_name=name, type="ACCOUNT", tags=self.tags(name), opts=self.options())
        if args.config.account_public_access_block:
            aws.s3.AccountPublicAccessBlock(
                name,
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
                opts=self.options(),
            )
        self.register_outputs({})

    def trail(self) -> None:
        """Every call of the account; reads and writes of released models too, where asked for."""
        storage = self.args.storage
        selectors: list[aws.cloudtrail.TrailEventSelectorArgsDict] = []
        if self.args.config.data_events:
            watched = [pulumi.Output.concat(bucket.arn, "/") for bucket in (storage.models, storage.dvc)]
            selectors = [
                {
                    "read_write_type": "All",
                    "include_management_events": True,
                    "data_resources": [{"type": "AWS::S3::Object", "values": watched}],
                }
            ]
        aws.cloudtrail.Trail(
            self.name,
            s3_bucket_name=storage.logs.id,
            s3_key_prefix="trail",
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            kms_key_id=self.args.logs_key_arn,
            event_selectors=selectors or None,
            tags=self.tags(self.name),
            opts=self.options(depends_on=[storage.logs_policy]),
        )

    def recorder(self) -> None:
        """Every change of a resource."""
        storage = self.args.storage
        role = self.make_role(self.child("config"), iam.trust("config", self.context.account))
        attached = aws.iam.RolePolicyAttachment(
            self.child("config"), role=role.name, policy_arn=CONFIG_POLICY, opts=self.options()
        )
        recorder = aws.cfg.Recorder(
            self.child("config"),
            role_arn=role.arn,
            recording_group={"all_supported": True, "include_global_resource_types": True},
            opts=self.options(depends_on=[attached]),
        )
        channel = aws.cfg.DeliveryChannel(
            self.child("config"),
            s3_bucket_name=storage.logs.id,
            s3_key_prefix="config",
            opts=self.options(depends_on=[recorder, storage.logs_policy]),
        )
        aws.cfg.RecorderStatus(
            self.child("config"), name=recorder.name, is_enabled=True, opts=self.options(depends_on=[channel])
        )
