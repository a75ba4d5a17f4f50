"""What a stack can be told: the keys of Pulumi.<env>.yaml, typed, with the rules that hold between them.

Every key stands under the namespace `groundplan`, whatever the Pulumi project is called. `PlatformConfig` configures
the platform program, `ProjectConfig` a repository's own program.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from groundplan_infra.sections import (
    Audit,
    Backup,
    BatchCompute,
    Budget,
    Ci,
    Compute,
    DataClassification,
    EksCompute,
    Environment,
    LogDays,
    ManagedTracking,
    Network,
    Observability,
    Section,
    ServerTracking,
    Service,
    Serving,
    Slug,
    Storage,
    Tracking,
)

NAMESPACE = "groundplan"
AI_ACT_LOG_DAYS = 180
AI_ACT_LOGS = f"must be at least {AI_ACT_LOG_DAYS} under eu-ai-act (articles 19 and 26: six months)"
# Regions of the standard partition, as AWS lists them; a short code stands in the names of resources.
REGIONS = {
    "af-south-1": "afs1",
    "ap-east-1": "ape1",
    "ap-northeast-1": "apne1",
    "ap-northeast-2": "apne2",
    "ap-northeast-3": "apne3",
    "ap-south-1": "aps1",
    "ap-south-2": "aps2",
    "ap-southeast-1": "apse1",
    "ap-southeast-2": "apse2",
    "ap-southeast-3": "apse3",
    "ap-southeast-4": "apse4",
    "ca-central-1": "cac1",
    "ca-west-1": "caw1",
    "eu-central-1": "euc1",
    "eu-central-2": "euc2",
    "eu-north-1": "eun1",
    "eu-south-1": "eus1",
    "eu-south-2": "eus2",
    "eu-west-1": "euw1",
    "eu-west-2": "euw2",
    "eu-west-3": "euw3",
    "il-central-1": "ilc1",
    "me-central-1": "mec1",
    "me-south-1": "mes1",
    "sa-east-1": "sae1",
    "us-east-1": "use1",
    "us-east-2": "use2",
    "us-west-1": "usw1",
    "us-west-2": "usw2",
}


class ConfigError(Exception):
    """The configuration is wrong; the message names each key and what to do."""


class StackConfig(Section):
    """What platform and project have in common."""

    name: Annotated[Slug, Field(min_length=2, max_length=12)] = Field(
        description="Short name; it begins the names of all resources."
    )
    environment: Environment = Field(description="Decides protection, retention and the defaults of safety.")
    region: str = Field(description="AWS region, as eu-west-1.")
    owner: str = Field(min_length=1, description="Team or address that answers for the stack; a tag of every resource.")
    cost_center: str = Field("unassigned", description="Cost centre; a tag of every resource.")
    data_classification: DataClassification = Field(
        "internal", description="The most sensitive data that is kept here."
    )
    regulation: Literal["none", "eu-ai-act"] = Field("none", description="Rules that set retention and logging.")
    emulated: bool = Field(
        False, description="The AWS behind the endpoint is an emulator: path-style buckets, no account checks."
    )

    @model_validator(mode="after")
    def check_common(self) -> Self:
        if self.region not in REGIONS:
            raise ValueError(f"region {self.region} is not known; one of {', '.join(REGIONS)}")
        if self.environment == "local" and not self.emulated:
            raise ValueError("environment local runs on an emulator: set emulated to true")
        return self

    @property
    def is_guarded(self) -> bool:
        """Stateful resources are protected: staging and prod."""
        return self.environment in ("staging", "prod")


class PlatformConfig(StackConfig):
    """The platform: what all repositories of an environment share."""

    budget: Budget = Field(description="What the platform may cost.")
    network: Network = Field(default_factory=Network, description=Network.__doc__)
    storage: Storage = Field(default_factory=Storage, description=Storage.__doc__)
    tracking: Tracking = Field(default_factory=ManagedTracking, description="Where runs are tracked.")
    compute: Compute = Field(default_factory=BatchCompute, description="Where jobs run.")
    serving: Serving = Field(default_factory=Serving, description=Serving.__doc__)
    ci: Ci = Field(default_factory=Ci, description=Ci.__doc__)
    observability: Observability = Field(default_factory=Observability, description=Observability.__doc__)
    audit: Audit = Field(default_factory=Audit, description=Audit.__doc__)
    backup: Backup = Field(default_factory=Backup, description=Backup.__doc__)

    @model_validator(mode="after")
    def check(self) -> Self:
        check_platform(self)
        return self


class ProjectConfig(StackConfig):
    """One repository: its prefix, image repository, job definition, roles and budget on a platform."""

    platform: Literal["standalone", "shared"] = Field(
        description="`standalone` brings the platform along; `shared` joins one."
    )
    platform_stack: str = Field(
        "", description="Stack of the shared platform, as organization/groundplan-platform/dev."
    )
    budget: Budget = Field(description="What the project may cost.")
    standalone: dict[str, Any] = Field(
        {}, description="Further keys of the platform configuration, in standalone mode."
    )
    log_days: LogDays = Field(
        30, description="Days that logs of the project are kept; in standalone mode, its observability.log_days."
    )
    job_vcpus: int = Field(2, ge=1, description="vCPUs of a training job.")
    job_memory: int = Field(8192, ge=512, description="Memory of a training job in MiB.")
    job_gpus: int = Field(0, ge=0, description="GPUs of a training job.")
    service: Service | None = Field(
        None,
        description="The prediction service, on a platform with an ECS cluster; without this key, none.",
    )
    kubernetes_namespace: str = Field(
        "", description="On EKS: the namespace in which the service account of the project's name acts as its job role."
    )
    repository: str = Field(
        "", description="The repository on the CI system, as owner/name; its deploy role trusts it alone."
    )
    ci_provider: Literal["none", "github", "gitlab"] = Field("none", description="Who issues the CI's tokens.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.platform == "shared" and not self.platform_stack:
            raise ValueError("platform_stack is missing; a shared platform needs the name of its stack")
        if self.platform == "shared" and self.regulation == "eu-ai-act" and self.log_days < AI_ACT_LOG_DAYS:
            raise ValueError(f"log_days {AI_ACT_LOGS}")
        if self.platform == "shared" and self.standalone:
            raise ValueError("standalone has keys, but the platform is shared; set them there")
        if self.platform == "standalone" and self.service and self.platform_config().serving.kind != "ecs":
            raise ValueError("service needs standalone.serving.kind ecs")
        if self.platform == "standalone":
            self.platform_config()
        return self

    def platform_config(self) -> PlatformConfig:
        """The configuration of the platform that a standalone project brings along."""
        common = self.model_dump(include=set(StackConfig.model_fields))
        return PlatformConfig.model_validate({**common, "budget": self.budget.model_dump(), **self.standalone})


Config = TypeVar("Config", bound=StackConfig)


def check_platform(config: PlatformConfig) -> None:
    """The rules between sections; raises ValueError that names both keys and the way out."""
    prod, tracking = config.environment == "prod", config.tracking
    problems = []
    if prod and isinstance(tracking, ServerTracking) and not tracking.multi_az:
        problems.append("tracking.multi_az must be true in prod: one zone lost would stop all tracking")
    if prod and isinstance(tracking, ServerTracking) and tracking.tasks < 2:
        problems.append("tracking.tasks must be at least 2 in prod")
    if prod and not config.backup.enabled:
        problems.append("backup.enabled must be true in prod")
    if config.is_guarded and config.storage.force_destroy:
        problems.append(f"storage.force_destroy must be false in {config.environment}")
    if config.serving.kind == "eks" and not isinstance(config.compute, EksCompute):
        problems.append("serving.kind eks needs compute.kind eks")
    if (
        isinstance(config.compute, EksCompute)
        and config.network.nat == "none"
        and not config.network.interface_endpoints
    ):
        problems.append("compute.kind eks needs network.nat, its nodes have no public address")
    if config.regulation == "eu-ai-act" and config.observability.log_days < AI_ACT_LOG_DAYS:
        problems.append(f"observability.log_days {AI_ACT_LOGS}")
    if config.data_classification == "restricted" and not config.audit.data_events and config.audit.owner == "platform":
        problems.append("audit.data_events must be true for restricted data")
    if config.backup.restore_test and not config.backup.enabled:
        problems.append("backup.restore_test needs backup.enabled")
    if problems:
        raise ValueError("; ".join(problems))


def explain(error: ValidationError, source: str) -> str:
    """One line for each problem: the file, the key, what is wrong."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        where = [
            str(part)
            for part in problem["loc"]
            if part not in ("none", "managed", "server", "existing", "batch", "eks")
        ]
        key = ".".join(where)
        message = re.sub(r"^Value error, ", "", problem["msg"])
        if problem["type"] == "extra_forbidden":
            message = "is not a key; see docs/reference/stack-settings.md for those there are"
        if problem["type"] == "missing":
            message = "is missing"
        lines.append(f"{source}: {NAMESPACE}:{key}: {message}" if key else f"{source}: {message}")
    return "\n".join(lines)


def parse(model: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Check a stack's values; raises ConfigError with a line for each problem."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from None


def from_engine(raw: Mapping[str, str]) -> dict[str, Any]:
    """The namespace's values among those the engine hands to a program: text, structured values as JSON."""
    values = {}
    for key, text in raw.items():
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE:
            values[name] = structured(text)
    return values


def structured(text: str) -> Any:
    """The engine gives objects and lists as JSON, and all else as text: a quoted 4711 as well as a number."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
