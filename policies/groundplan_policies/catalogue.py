"""The catalogue of controls: catalogue.yaml, typed. Rules, docs, reports and the pack take everything from it."""

from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("catalogue.yaml")
Level = Literal["advisory", "prod", "guarded", "always"]
ProfileName = Literal["baseline", "regulated", "eu-ai-act"]
# From the least to the most strict.
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)
Severity = Literal["low", "medium", "high", "critical"]


class Model(BaseModel):
    """A key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Framework(Model):
    """A framework that controls are mapped to."""

    name: str
    source: str = Field(description="Where its text, or the mapping, comes from.")


class Control(Model):
    """One thing that must hold."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    title: str = Field(description="What must hold, in one line.")
    why: str
    area: str
    scope: Literal["resource", "related", "stack", "repository"]
    severity: Severity
    level: dict[ProfileName, Level] = Field(description="Where a violation is mandatory, by profile.")
    types: list[str] = Field(default=[], description="Resource types that it judges, without the provider; * for all.")
    reads: list[str] = Field(default=[], description="Resource types that it looks up to judge those.")
    verified: dict[str, list[str]] = Field(
        default={}, description="Ids of frameworks that a published mapping gives for the same check."
    )
    own_reading: dict[str, list[str]] = Field(default={}, description="Ids that we find to apply.")
    remediation: str = Field(description="What to do.")
    cost: str = Field(description="What complying costs.")
    checkov: list[str] = Field(default=[], description="Checks of checkov 3.3 on the same thing.")
    prowler: list[str] = Field(default=[], description="Checks of prowler 5.46 on the same thing.")

    def level_in(self, profile: ProfileName) -> Level:
        """The level in a profile; one that is not named is that of the baseline."""
        return self.level.get(profile, self.level["baseline"])

    def references(self, framework: str) -> list[tuple[str, bool]]:
        """Its ids in a framework, each with whether it is verified."""
        return [
            *((each, True) for each in self.verified.get(framework, [])),
            *((each, False) for each in self.own_reading.get(framework, [])),
        ]


class Catalogue(Model):
    """All controls, the frameworks, and the types that no rule needs to look at."""

    frameworks: dict[str, Framework]
    controls: list[Control]
    no_rule_needed: list[str]

    @cached_property
    def by_id(self) -> dict[str, Control]:
        """The controls by id."""
        return {control.id: control for control in self.controls}

    @cached_property
    def known_types(self) -> frozenset[str]:
        """Resource types that somebody has thought about."""
        return frozenset(
            {*self.no_rule_needed, *(token for control in self.controls for token in [*control.types, *control.reads])}
        )


def load(file: Path = FILE) -> Catalogue:
    """Read the catalogue; raises pydantic's ValidationError for a mistake in it."""
    return Catalogue.model_validate(yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


CATALOGUE = load()
