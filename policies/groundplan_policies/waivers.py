"""Waivers: violations that somebody decided to accept for a time. waivers.yaml is reviewed like code."""

import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.settings import EnvironmentName, SettingsError, Strict, parse, read_yaml

MAX_DAYS = 366


class Waiver(Strict):
    """One accepted violation."""

    control: str = Field(description="Id of the control.")
    resource: str = Field(
        min_length=1, description="Name of the resource, or a pattern of names, or a URN; `stack` for the whole stack."
    )
    environments: list[EnvironmentName] = Field(min_length=1, description="Where it holds.")
    reason: str = Field(min_length=15, description="Why the violation is accepted.")
    approver: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="Address of who accepted it.")
    expires: datetime.date = Field(description="The last day on which it holds, a year ahead at most.")

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.control not in CATALOGUE.by_id:
            raise ValueError(f"control {self.control} is not in the catalogue; see docs/reference/controls")
        if self.resource.strip("*") == "":
            raise ValueError("resource names everything; name what is waived")
        return self

    def matches(self, control: str, urn: str) -> bool:
        """Whether it is about a control's violation by a resource; the stack itself has no URN."""
        name = urn.split("::")[-1] if urn else "stack"
        return self.control == control and (fnmatchcase(name, self.resource) or urn == self.resource)

    def problem(self, today: datetime.date) -> str:
        """Why it does not hold today; empty where it does."""
        if self.expires < today:
            return f"expired on {self.expires}"
        if (self.expires - today).days > MAX_DAYS:
            return f"expires on {self.expires}, more than a year ahead"
        return ""

    def __str__(self) -> str:
        return f"waiver of {self.control} for {self.resource} by {self.approver}"


class WaiverFile(Strict):
    """waivers.yaml."""

    waivers: list[Waiver] = Field([], description="All waivers.")


def read_waivers(folder: Path, environment: str) -> list[Waiver]:
    """The waivers of a folder's waivers.yaml for an environment; raises SettingsError."""
    file = folder / "waivers.yaml"
    values = read_yaml(file, {})
    if isinstance(values, list):
        raise SettingsError(f"{file}: must begin with `waivers:`")
    return [each for each in parse(WaiverFile, values, str(file)).waivers if environment in each.environments]
