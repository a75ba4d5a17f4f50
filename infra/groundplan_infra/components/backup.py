"""Copies of database and model registry, apart from the originals."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context
from groundplan_infra.sections import Backup as BackupConfig

DAILY_UTC = "cron(0 3 * * ? *)"
WEEKLY_UTC = "cron(0 6 ? * SUN *)"
MANAGED = "arn:aws:iam::aws:policy/"
POLICIES = {
    "backup": "service-role/AWSBackupServiceRolePolicyForBackup",
    "restore": "service-role/AWSBackupServiceRolePolicyForRestores",
    "s3-backup": "AWSBackupServiceRolePolicyForS3Backup",
    "s3-restore": "AWSBackupServiceRolePolicyForS3Restore",
}


@dataclass(frozen=True)
class BackupArgs:
    """`config`: how long, and whether restoring is tested; `resources`: ARNs of what is backed up; `key_arn`: key."""

    config: BackupConfig
    resources: dict[str, pulumi.Input[str]]
    key_arn: pulumi.Input[str]


class Backup(Component):
    """A vault of its own key, a daily plan, and a weekly test that the newest backup can be restored."""

    vault: aws.backup.Vault

    def __init__(
        self, name: str, context: Context, args: BackupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("Backup", name, context, opts)
        self.vault = aws.backup.Vault(
            name,
            kms_key_arn=args.key_arn,
            force_destroy=not context.guarded,
            tags=self.tags(name),
            opts=self.options(stateful=True),
        )
        role = self.make_role(name, iam.trust("backup", context.account))
        attached = [
            aws.iam.RolePolicyAttachment(
                self.child(purpose), role=role.name, policy_arn=f"{MANAGED}{policy}", opts=self.options()
            )
            for purpose, policy in POLICIES.items()
        ]
        plan = aws.backup.Plan(
            name,
            rules=[
                {
                    "rule_name": "daily",
                    "target_vault_name": self.vault.name,
                    "schedule": DAILY_UTC,
                    "start_window": 60,
                    "completion_window": 360,
                    "lifecycle": {"delete_after": args.config.keep_days},
                }
            ],
            tags=self.tags(name),
            opts=self.options(),
        )
        aws.backup.Selection(
            name,
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=list(args.resources.values()),
            opts=self.options(depends_on=attached),
        )
        if args.config.restore_test:
            self.restore_test(args, role)
        self.register_outputs({"vault": self.vault.arn})

    def restore_test(self, args: BackupArgs, role: aws.iam.Role) -> None:
        """Restore the newest backup of each resource once a week, and remove what was restored after an hour."""
        # AWS takes letters, digits and underscores here.
        name = self.name.replace("-", "_")
        plan = aws.backup.RestoreTestingPlan(
            self.child("test"),
            name=name,
            schedule_expression=WEEKLY_UTC,
            start_window_hours=1,
            recovery_point_selection={
                "algorithm": "LATEST_WITHIN_WINDOW",
                "include_vaults": [self.vault.arn],
                "recovery_point_types": ["SNAPSHOT"],
                "selection_window_days": 7,
            },
            tags=self.tags(self.child("test")),
            opts=self.options(),
        )
        for kind, arn in args.resources.items():
            aws.backup.RestoreTestingSelection(
                self.child("test", kind.lower()),
                name=f"{name}_{kind.lower()}",
                restore_testing_plan_name=plan.name,
                protected_resource_type=kind,
                protected_resource_arns=[arn],
                iam_role_arn=role.arn,
                validation_window_hours=1,
                opts=self.options(),
            )
