"""Encryption keys: one for data at rest, one for logs and notifications."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from groundplan_infra import iam
from groundplan_infra.components.base import Component
from groundplan_infra.context import Context


@dataclass(frozen=True)
class KeysArgs:
    """`deletion_days`: how long a key can be brought back after its deletion was asked for, 7 to 30."""

    deletion_days: int = 30


class Keys(Component):
    """KMS keys with yearly rotation. Identities get access by their own policies; services by what they encrypt."""

    data: aws.kms.Key
    logs: aws.kms.Key

    def __init__(self, name: str, context: Context, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Keys", name, context, opts)
        self.args = args
        self.data = self.key("data", "Data, artifacts, models, database, secrets", [])
        self.logs = self.key("logs", "Logs, trail and notifications", self.log_services())
        self.register_outputs({"data": self.data.arn, "logs": self.logs.arn})

    def key(self, purpose: str, description: str, services: list[iam.Statement]) -> aws.kms.Key:
        """A key and its alias."""
        name = self.child(purpose)
        account_may_delegate = {
            "Sid": "AccountDelegatesByIam",
            "Effect": "Allow",
            "Principal": {"AWS": pulumi.Output.concat("arn:aws:iam::", self.context.account, ":root")},
            "Action": "kms:*",
            "Resource": "*",
        }
        key = aws.kms.Key(
            name,
            description=description,
            enable_key_rotation=True,
            deletion_window_in_days=self.args.deletion_days,
            policy=iam.document(account_may_delegate, *services),
            tags=self.tags(name),
            opts=self.options(stateful=True),
        )
        aws.kms.Alias(name, name=f"alias/{name}", target_key_id=key.key_id, opts=self.options())
        return key

    def log_services(self) -> list[iam.Statement]:
        """The services that write what the logs key encrypts, each bound to this account."""
        context = self.context
        of_account = {"StringEquals": {"aws:SourceAccount": context.account}}
        log_groups = pulumi.Output.concat("arn:aws:logs:", context.region, ":", context.account, ":*")
        trails = pulumi.Output.concat("arn:aws:cloudtrail:*:", context.account, ":trail/*")
        encrypt = ["kms:GenerateDataKey*", "kms:Decrypt"]
        return [
            self.service(
                f"logs.{context.region}",
                [*encrypt, "kms:Encrypt*", "kms:ReEncrypt*", "kms:Describe*"],
                {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            ),
            self.service(
                "cloudtrail",
                [*encrypt, "kms:DescribeKey"],
                {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}},
            ),
            *(
                self.service(source, encrypt, of_account)
                for source in ("cloudwatch", "events", "budgets", "costalerts", "config", "backup")
            ),
        ]

    def service(self, service: str, actions: list[str], condition: iam.Statement) -> iam.Statement:
        """A statement of the key's policy for one service."""
        return {
            "Sid": "".join(word.capitalize() for word in service.replace("-", ".").split(".")),
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": actions,
            "Resource": "*",
            "Condition": condition,
        }
