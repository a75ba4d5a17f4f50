"""How long it takes to generate a repository, beside peers whose templates come with their package.

All are run as whole processes from the same tool runner, in turns, so that a noisy machine is noisy for all.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/generation.md"
ROUNDS = 5
KEDRO = "output_dir: {out}\nproject_name: Bench\nrepo_name: bench\npython_package: bench\n"


def commands(out: Path) -> dict[str, list[str]]:
    """What is run for each generator; each writes below `out`."""
    (out / "kedro.yml").write_text(KEDRO.format(out=out))
    copy = ["copier", "copy", "--quiet", "--defaults", "--data", "project_name=Bench", "--vcs-ref", "HEAD"]
    kedro = ["kedro", "new", "--config", str(out / "kedro.yml"), "--tools=none", "--example=n"]
    scaffold = ["putup", str(out / "bench")]
    return {
        "groundplan": ["uvx", "--from", "copier==9.19.1", *copy, str(ROOT), str(out / "bench")],
        "Kedro 1.7.0": ["uvx", "--from", "kedro==1.7.0", *kedro],
        "PyScaffold 4.6": ["uvx", "--from", "pyscaffold==4.6", *scaffold],
    }


def measure() -> dict[str, tuple[list[float], int]]:
    """Seconds of each round, and the number of files, for each generator."""
    seconds: dict[str, list[float]] = {}
    files: dict[str, int] = {}
    for counted in [False, *[True] * ROUNDS]:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            for name, command in commands(out).items():
                started = time.monotonic()
                subprocess.run(command, cwd=out, check=True, capture_output=True)
                if counted:
                    seconds.setdefault(name, []).append(time.monotonic() - started)
                made = [path for path in (out / "bench").rglob("*") if path.is_file() and ".git" not in path.parts]
                files[name] = len(made)
                shutil.rmtree(out / "bench")
    return {name: (times, files[name]) for name, times in seconds.items()}


def main() -> None:
    """Print the table and keep it."""
    lines = ["| generator | median s | min to max | files | ms a file |", "| --- | --- | --- | --- | --- |"]
    for name, (times, files) in measure().items():
        median = statistics.median(times)
        spread = f"{min(times):.2f} to {max(times):.2f}"
        lines.append(f"| {name} | {median:.2f} | {spread} | {files} | {1000 * median / files:.0f} |")
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
