"""What becomes of a person's edits in an update of the template: functions of the files before and after."""

import difflib
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

import msgspec

Files = dict[str, bytes]
ALIKE = 0.5  # share of equal lines from which on one file is taken for another one renamed
MERGED_LABELS = ("yours", "the template before", "the template now")


class Outcome(msgspec.Struct):
    """What an update did. Paths are those after it, unless a pair tells both."""

    before: str
    after: str
    changed: list[str] = []
    conflicts: list[str] = []
    merged: list[str] = []
    followed: list[tuple[str, str]] = []
    kept: list[str] = []
    protected: list[str] = []
    deleted: list[str] = []


class Tree(msgspec.Struct):
    """A repository: its folder, what its files held before the update, and which of them git knew."""

    folder: Path
    before: Files
    tracked: list[str]

    def now(self, name: str) -> bytes | None:
        """What a file holds now; None where there is none."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, with its folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def remove(self, name: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self.folder).parents:
            place = self.folder / folder
            if place == self.folder or not place.is_dir() or any(place.iterdir()):
                break
            place.rmdir()


def lines(content: bytes) -> list[bytes] | None:
    """The lines of a text; None for a binary file."""
    return None if b"\0" in content else content.splitlines(keepends=True)


def likeness(one: bytes, other: bytes) -> float:
    """Share of lines that two texts have in common; binary files are alike or not."""
    first, second = lines(one), lines(other)
    if first is None or second is None:
        return float(one == other)
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE else 0.0


def find_renames(gone: Files, come: Files) -> dict[str, str]:
    """For each file that went, the one that came in its place, if any is alike; a file of the same name first."""
    found: dict[str, str] = {}
    for name, content in sorted(gone.items()):
        ranked = [
            (likeness(content, other), PurePosixPath(candidate).name == PurePosixPath(name).name, candidate)
            for candidate, other in come.items()
            if candidate not in found.values()
        ]
        best = max(ranked, default=(0.0, False, ""))
        if best[0] >= ALIKE:
            found[name] = best[2]
    return found


def merge(mine: bytes, base: bytes, theirs: bytes) -> tuple[bytes, bool]:
    """A three-way merge, and whether it went without a conflict; a binary file stays mine."""
    if mine == base:
        return theirs, True
    if theirs in (base, mine):
        return mine, True
    if None in (lines(mine), lines(base), lines(theirs)):
        return mine, False
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("mine", "base", "theirs")]
        for path, content in zip(paths, (mine, base, theirs), strict=True):
            path.write_bytes(content)
        labels = [word for label in MERGED_LABELS for word in ("-L", label)]
        done = subprocess.run(["git", "merge-file", "-p", *labels, *map(str, paths)], capture_output=True, check=False)
    return done.stdout, done.returncode == 0


def folder_renames(renames: dict[str, str]) -> dict[str, str]:
    """The folders of which every file went to one other folder, under the same name."""
    targets: dict[str, set[str]] = {}
    for old, new in renames.items():
        before, after = PurePosixPath(old), PurePosixPath(new)
        targets.setdefault(str(before.parent), set()).add(str(after.parent) if before.name == after.name else "")
    return {before: after.pop() for before, after in targets.items() if len(after) == 1 and after != {""}}


def repair(tree: Tree, old: Files, new: Files, outcome: Outcome) -> None:
    """Put back what Copier dropped of a person's edits, and let edits follow renamed files; fills the outcome."""
    mine = tree.before
    edited = {name: mine[name] for name in old if name in mine and mine[name] != old[name] and name in tree.tracked}
    gone = {name: content for name, content in old.items() if name not in new}
    come = {name: content for name, content in new.items() if name not in old}
    renames = find_renames(gone, come)
    for name, content in edited.items():
        if name in outcome.conflicts:
            continue
        if name in new:
            keep_edit(tree, name, content, old, new, outcome)
        elif name in renames:
            follow(tree, (name, renames[name]), content, (old[name], new[renames[name]]), outcome)
        else:
            tree.write(name, content)
            outcome.kept.append(name)
    move_added(tree, old, folder_renames(renames), outcome)
    keep_deleted(tree, old, new, outcome)
    for name in sorted({*old, *new} - set(tree.tracked)):
        if name in mine and tree.now(name) != mine[name]:
            tree.write(name, mine[name])
            outcome.protected.append(name)


def keep_edit(tree: Tree, name: str, content: bytes, old: Files, new: Files, outcome: Outcome) -> None:
    """An edited file that both releases have: merged by Copier, or put back where its edits are gone."""
    now = tree.now(name)
    if now is None or (now == new[name] and merge(content, old[name], new[name])[0] != now):
        tree.write(name, content)
        outcome.kept.append(name)
    elif now != content:
        outcome.merged.append(name)


def follow(tree: Tree, path: tuple[str, str], content: bytes, release: tuple[bytes, bytes], outcome: Outcome) -> None:
    """Merge the edits of a file into the one that it was renamed to, with what both releases have of it."""
    before, after = path
    merged, clean = merge(content, *release)
    tree.write(after, merged)
    if tree.now(before) is not None:
        tree.remove(before)
    outcome.followed.append(path)
    if not clean:
        outcome.conflicts.append(after)


def move_added(tree: Tree, old: Files, folders: dict[str, str], outcome: Outcome) -> None:
    """Files that a person added to a folder which was renamed go along."""
    for name in tree.tracked:
        target = folders.get(str(PurePosixPath(name).parent))
        content = tree.before.get(name)
        if name in old or target is None or content is None or tree.now(name) is None:
            continue
        moved = str(PurePosixPath(target) / PurePosixPath(name).name)
        if tree.now(moved) is None:
            tree.write(moved, content)
            tree.remove(name)
            outcome.followed.append((name, moved))


def keep_deleted(tree: Tree, old: Files, new: Files, outcome: Outcome) -> None:
    """What a person deleted stays deleted; what they moved gets the template's changes where it is now."""
    deleted = {name: content for name, content in old.items() if name not in tree.before and name in new}
    added = {name: tree.before[name] for name in tree.tracked if name not in old and name in tree.before}
    moved = find_renames(deleted, added)
    for name, base in deleted.items():
        tree.remove(name)
        if name not in moved:
            outcome.deleted.append(name)
        elif new[name] != base:
            follow(tree, (name, moved[name]), tree.before[moved[name]], (base, new[name]), outcome)
