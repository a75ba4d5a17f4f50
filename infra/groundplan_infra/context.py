"""What every component of a stack is told: names, tags, protection, retention. The one place where they are decided."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import pulumi

from groundplan_infra.config import REGIONS, StackConfig


@dataclass(frozen=True)
class Context:
    """The settings that all components of a stack share; `account` is the number of the AWS account."""

    config: StackConfig
    account: pulumi.Input[str]
    project: str = "platform"
    log_days: int = 30

    @cached_property
    def prefix(self) -> str:
        """How the names of this stack begin: name, environment, and region, since roles and buckets are global."""
        return f"{self.config.name}-{self.config.environment}-{REGIONS[self.config.region]}"

    @property
    def region(self) -> str:
        """The region of every resource of this stack."""
        return self.config.region

    @property
    def guarded(self) -> bool:
        """Whether stateful resources are protected from `destroy` and deletion."""
        return self.config.is_guarded

    def tags(self, name: str, **more: str) -> dict[str, str]:
        """The tags of a resource; cost reports and the orphan check go by them."""
        config = self.config
        return {
            "Name": name,
            "Project": config.name,
            "Component": self.project,
            "Environment": config.environment,
            "Owner": config.owner,
            "CostCenter": config.cost_center,
            "DataClassification": config.data_classification,
            "ManagedBy": "groundplan",
            **more,
        }


def fit(name: str, length: int) -> str:
    """A name no longer than `length`.

    What is cut off is replaced by a hash of the whole, so that names stay distinct.
    """
    if len(name) <= length:
        return name
    return f"{name[: length - 7].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
