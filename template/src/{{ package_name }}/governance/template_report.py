"""An update of the template in words, for the terminal and for a pull request."""

import re

from .template_edits import Outcome

MOST_NAMES = 20


def listed(title: str, names: list[str]) -> list[str]:
    """A heading and the first names, or nothing where there are none."""
    if not names:
        return []
    more = [f"- and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return ["", f"{title}:", "", *(f"- {name}" for name in names[:MOST_NAMES]), *more]


def text_report(outcome: Outcome) -> str:
    """What an update did, and what is left to a person; Markdown that reads well as it stands."""
    if not outcome.changed and outcome.before == outcome.after:
        return f"This repository is of the newest release, {outcome.after}."
    lines = [f"From {outcome.before} to {outcome.after}: {len(outcome.changed)} files change."]
    lines += listed("Conflicts, marked in the file; resolve them before you commit", outcome.conflicts)
    lines += listed("Your edits and the template's changes are both in", outcome.merged)
    lines += listed("Renamed or moved, with your edits", [f"{old} → {new}" for old, new in outcome.followed])
    lines += listed(
        "Yours stays, without the template's changes: it has no such file now, or a binary one", outcome.kept
    )
    lines += listed("Not in git, and left as they were", outcome.protected)
    lines += listed("Deleted by you, and not brought back", outcome.deleted)
    if outcome.conflicts:
        lines += ["", f"{len(outcome.conflicts)} conflicts wait for you; `git diff` shows all."]
    else:
        lines += ["", "No conflict. Look at `git diff`, run `make setup check`, and commit."]
    lines += ["`git reset --hard && git clean -fd` undoes it; before it, nothing was uncommitted."]
    return "\n".join(lines)


def changelog_between(text: str, before: str, after: str) -> str:
    """The sections of a changelog for the releases after one and up to another; `## 1.2.0 (date)` begins a section."""
    sections = re.split(r"(?m)^(?=## )", text)
    wanted = []
    for section in sections:
        found = re.match(r"## v?(\d+(?:\.\d+)*)", section)
        if found and version(before) < version(found[1]) <= version(after):
            wanted.append(section.strip())
    return "\n\n".join(wanted)


def version(text: str) -> tuple[int, ...]:
    """A version as numbers that compare; what git adds for commits after a tag is left out."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()
