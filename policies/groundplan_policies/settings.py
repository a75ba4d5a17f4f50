"""How strict the pack is: profile, levels and parameters of policy.yaml, joined with what the stack says of itself."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from groundplan_policies.catalogue import CATALOGUE, PROFILES, Level, ProfileName

Model = TypeVar("Model", bound=BaseModel)
EnvironmentName = Literal["local", "dev", "staging", "prod"]
ENVIRONMENTS: tuple[EnvironmentName, ...] = get_args(EnvironmentName)
Setting = Literal["advisory", "mandatory", "disabled"]


class SettingsError(Exception):
    """A file of settings is wrong; the message names the file, the key, and what to do."""


class Strict(BaseModel):
    """A key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Days(Strict):
    """A number of days for each environment."""

    local: int = Field(ge=0)
    dev: int = Field(ge=0)
    staging: int = Field(ge=0)
    prod: int = Field(ge=0)


class Parameters(Strict):
    """What the rules compare with."""

    allowed_regions: list[str] = Field([], description="Regions that may be used; with none, the stack's own alone.")
    required_tags: list[str] = Field(
        ["Owner", "Project", "Environment", "CostCenter", "DataClassification"],
        description="Tags of everything that can have tags.",
    )
    allowed_instance_types: list[str] = Field(
        ["t3*", "t4g*", "m6*", "m7*", "m8*", "c6*", "c7*", "c8*", "r6*", "r7*", "r8*", "g5*", "g6*", "db.*", "ml.*"],
        description="Machines that may be started, as patterns.",
    )
    max_gpu_vcpus: int = Field(64, ge=0, description="The most vCPUs of GPU machines that a stack may start.")
    log_days: Days = Field(
        Days(local=1, dev=30, staging=90, prod=365), description="How long logs are kept at least, in days."
    )
    ai_act_log_days: int = Field(
        180, ge=1, description="The same under the EU AI Act in every environment (articles 19 and 26: six months)."
    )
    model_retention_days: Days = Field(
        Days(local=0, dev=0, staging=0, prod=30), description="How long a released model is locked at least, in days."
    )
    backup_days: Days = Field(
        Days(local=1, dev=1, staging=7, prod=7), description="How long database backups are kept at least, in days."
    )
    key_deletion_days: Days = Field(
        Days(local=7, dev=7, staging=14, prod=14), description="How long a key waits to be deleted at least, in days."
    )
    image_registries: list[str] = Field(
        ["*.dkr.ecr.*.amazonaws.com/*", "public.ecr.aws/*"], description="Registries that images may come from."
    )
    public_ports: list[int] = Field([443], description="Ports that may be open to everyone.")
    eks_versions: list[str] = Field(["1.33", "1.34", "1.35"], description="Kubernetes versions in standard support.")
    central_services: list[Literal["trail", "config", "guardduty", "access-analyzer", "account-block"]] = Field(
        [], description="What the organisation runs for all accounts, and this stack need not have."
    )
    reviewed_types: list[str] = Field(
        [], description="Resource types that no rule looks at and somebody has looked through, as patterns: aws:sqs/*."
    )


class PolicyFile(Strict):
    """policy.yaml."""

    profile: ProfileName | None = Field(
        None, description="baseline, regulated or eu-ai-act; without it, what the stack's data and regulation ask for."
    )
    parameters: dict[str, Any] = Field({}, description="Parameters for all environments.")
    levels: dict[str, Setting] = Field({}, description="Levels of single controls in all environments.")
    environments: dict[EnvironmentName, "EnvironmentFile"] = Field(
        {}, description="Parameters and levels of one environment; they go before those for all."
    )

    @model_validator(mode="after")
    def check(self) -> Self:
        levels = [self.levels, *(each.levels for each in self.environments.values())]
        unknown = sorted({control for each in levels for control in each} - set(CATALOGUE.by_id))
        if unknown:
            raise ValueError(f"levels names {', '.join(unknown)}, which is no control; see docs/reference/controls")
        for each in [self.parameters, *(environment.parameters for environment in self.environments.values())]:
            Parameters.model_validate(each)
        return self


class EnvironmentFile(Strict):
    """The part of policy.yaml about one environment."""

    parameters: dict[str, Any] = {}
    levels: dict[str, Setting] = {}


class StackFacts(BaseModel):
    """What a stack's settings say that policies need; other keys are the program's."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    name: str = ""
    environment: EnvironmentName = "prod"
    region: str = ""
    owner: str = ""
    cost_center: str = "unassigned"
    data_classification: Annotated[str, Field(pattern="^(public|internal|confidential|restricted)$")] = "internal"
    regulation: Literal["none", "eu-ai-act"] = "none"
    emulated: bool = False


class Policy(Strict):
    """All that rules go by: the stack's facts, the profile, parameters, and levels that differ from the catalogue's."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    stack: StackFacts
    profile: ProfileName
    parameters: Parameters
    levels: dict[str, Setting]

    @property
    def environment(self) -> EnvironmentName:
        """The stack's environment."""
        return self.stack.environment

    @property
    def guarded(self) -> bool:
        """Whether the environment holds what cannot be lost: staging and prod."""
        return self.environment in ("staging", "prod")

    @property
    def regions(self) -> list[str]:
        """The regions that may be used; none known means that none is asked for."""
        return self.parameters.allowed_regions or ([self.stack.region] if self.stack.region else [])

    def days(self, parameter: Days) -> int:
        """The days that hold in this environment."""
        return int(getattr(parameter, self.environment))

    def level(self, control: str) -> Setting:
        """How a violation of a control counts here."""
        return self.levels.get(control) or self.catalogue_level(control)

    def catalogue_level(self, control: str) -> Setting:
        """How it counts by the catalogue, whatever policy.yaml says."""
        return setting(CATALOGUE.by_id[control].level_in(self.profile), self.environment)


def setting(level: Level, environment: EnvironmentName) -> Setting:
    """What a level of the catalogue means in an environment."""
    mandatory = {"advisory": (), "prod": ("prod",), "guarded": ("staging", "prod"), "always": ENVIRONMENTS}
    return "mandatory" if environment in mandatory[level] else "advisory"


def make_policy(file: PolicyFile, facts: StackFacts) -> Policy:
    """Join policy.yaml with the stack's facts."""
    own = file.environments.get(facts.environment, EnvironmentFile())
    return Policy(
        stack=facts,
        profile=file.profile or asked_for(facts),
        parameters=Parameters.model_validate({**file.parameters, **own.parameters}),
        levels={**file.levels, **own.levels},
    )


def asked_for(facts: StackFacts) -> ProfileName:
    """The profile that a stack's data and regulation ask for."""
    if facts.regulation == "eu-ai-act":
        return "eu-ai-act"
    return "regulated" if facts.data_classification == "restricted" else "baseline"


def loosened(policy: Policy) -> list[str]:
    """What the settings make less strict than the catalogue and the stack's data ask for, a line each."""
    lines = [
        f"{control} is {level}, not mandatory"
        for control, level in sorted(policy.levels.items())
        if level != "mandatory" and policy.catalogue_level(control) == "mandatory"
    ]
    asked = asked_for(policy.stack)
    if PROFILES.index(policy.profile) < PROFILES.index(asked):
        lines.insert(0, f"profile {policy.profile}, though the stack asks for {asked}")
    return lines


def read_policy_file(folder: Path) -> PolicyFile:
    """A folder's policy.yaml; without the file, the defaults. Raises SettingsError."""
    file = folder / "policy.yaml"
    return parse(PolicyFile, read_yaml(file, {}), str(file))


def read_yaml(file: Path, missing: Any) -> Any:
    """What a YAML file holds, or `missing` where there is none; raises SettingsError."""
    try:
        return yaml.safe_load(file.read_text()) or missing
    except FileNotFoundError:
        return missing
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None


def parse(model: type[Model], values: Any, where: str) -> Model:
    """Check values; raises SettingsError that names each key."""
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where}: must hold keys and values, not {type(values).__name__}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [problem_line(each["loc"], each["msg"], each["type"]) for each in error.errors(include_url=False)]
        raise SettingsError("; ".join(f"{where}: {line}" for line in lines)) from None


def problem_line(place: tuple[int | str, ...], message: str, kind: str) -> str:
    """A problem that pydantic found, in our words."""
    key = ".".join(str(part) for part in place)
    said = {"extra_forbidden": "is not a key", "missing": "is missing"}.get(kind, message.removeprefix("Value error, "))
    return f"{key}: {said}" if key else said
