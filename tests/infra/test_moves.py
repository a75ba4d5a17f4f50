"""A component that moves in the code stays as it is in a stack that is up; the real engine says so."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from conftest import INFRA
from test_engine import Program, settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("engine")]
ROOT = INFRA.parent
# A component with one child; how it is called, and what it was called, is filled in.
MOVING = """
import pulumi_aws as aws
from groundplan_infra.components.base import Component, Former
from groundplan_infra.config import PlatformConfig, parse
from groundplan_infra.context import Context

VALUES = {{
    "name": "move", "environment": "local", "region": "eu-west-1", "owner": "team", "emulated": True,
    "budget": {{"monthly_usd": 1, "emails": ["team@example.com"]}},
}}


class Alarms(Component):
    def __init__(self, name, context):
        super().__init__({kind!r}, name, context, None, formerly={formerly})
        self.topic = aws.sns.Topic(self.child("topic"), name="alarms", opts=self.options(stateful=True))


Alarms({name!r}, Context(parse(PlatformConfig, VALUES, "Pulumi.local.yaml"), "123456789012"))
"""


def git(*words: str) -> bytes:
    """What git prints."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout


def releases() -> list[str]:
    """The releases that stacks may be of; before the first one, the last commit."""
    tags = git("tag", "--list", "v*", "--sort=-version:refname").decode().split()
    return tags or ["HEAD"]


def released(folder: Path, revision: str) -> Path:
    """The package as it was released."""
    archive = git("archive", revision, "infra/groundplan_infra")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder / "infra"


def test_a_component_of_another_name_and_kind_is_the_same_to_the_engine(
    own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    program = Program(own_state / "program", "platform", "local", settings("local"))

    def write(kind: str, name: str, formerly: str = "[]") -> None:
        text = MOVING.format(kind=kind, name=name, formerly=formerly)
        (program.folder / "__main__.py").write_text(text)

    write("Bells", "before")
    program.done("up")
    (topic,) = [each["id"] for each in program.resources() if each["type"] == "aws:sns/topic:Topic"]

    write("Alarms", "after")
    assert "to delete" in program.run("preview").stdout

    write("Alarms", "after", '[Former(kind="Bells", name="before")]')
    told = program.done("preview")
    assert not any(word in told for word in ("to delete", "to replace", "to create")), told[-3000:]
    program.done("up")
    assert [each["id"] for each in program.resources() if each["type"] == "aws:sns/topic:Topic"] == [topic]


@pytest.mark.parametrize("revision", releases())
def test_a_stack_of_a_release_survives_the_working_tree(
    revision: str, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(own_state / "program", "platform", "local", settings("local"))
    monkeypatch.setenv("PYTHONPATH", str(released(own_state / "release", revision)))
    program.done("up")
    monkeypatch.delenv("PYTHONPATH")
    told = program.done("preview")
    assert not any(word in told for word in ("to delete", "to replace")), told[-3000:]
