"""Prepare a release from its tag: notes from the changelog, and the distributions of infra and policies.

The version is the tag's. `python3 scripts/release.py v1.2.0 --out build/release` writes notes.md, wheels and archives;
it fails when the tag is no version or the changelog has no finished section for it. Needs nothing but Python and uv.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = ("infra", "policies")
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")


class ReleaseError(Exception):
    """The release cannot be made; the message says why."""


def version_of(tag: str) -> str:
    """The version that a tag names; raises ReleaseError when it names none."""
    found = TAG.fullmatch(tag)
    if not found:
        raise ReleaseError(f"{tag} is no release; a tag reads v1.2.0, or v1.2.0rc1")
    return found[1]


def notes_for(version: str, changelog: str) -> str:
    """The section of the changelog for a version; raises ReleaseError when it is missing, unfinished or empty."""
    for section in re.split(r"(?m)^(?=## )", changelog):
        head, _, body = section.partition("\n")
        if head.split()[:2] == ["##", version]:
            if "unreleased" in head:
                raise ReleaseError(f"CHANGELOG.md says that {version} is unreleased; put the date there")
            if not body.strip():
                raise ReleaseError(f"CHANGELOG.md says nothing about {version}")
            return body.strip() + "\n"
    raise ReleaseError(f"CHANGELOG.md has no section `## {version}`")


def build(name: str, version: str, out: Path) -> None:
    """Build a distribution with this version, from a copy of its folder; raises ReleaseError when it does not build."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, name)
        ignore = shutil.ignore_patterns(".venv", "__pycache__", "dist", "build")
        shutil.copytree(ROOT / name, source, ignore=ignore)
        project = source / "pyproject.toml"
        text = project.read_text(encoding="utf-8")
        project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', text, count=1), encoding="utf-8")
        command = ["uv", "build", "--quiet", "--no-sources", "--out-dir", str(out), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"{name} does not build: {(done.stderr.strip() or 'no message').splitlines()[-1]}")


def main() -> None:
    """Write notes and distributions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        version = version_of(given.tag)
        notes = notes_for(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "notes.md").write_text(notes, encoding="utf-8")
        for name in DISTRIBUTIONS:
            build(name, version, given.out.resolve())
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print("\n".join(sorted(path.name for path in given.out.iterdir())))


if __name__ == "__main__":
    main()
