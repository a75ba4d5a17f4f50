"""The demo goes on where it stopped; its steps themselves are run by tests/end_to_end/test_our_documents.py."""

import sys
from pathlib import Path

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import demo


class Steps:
    """Two steps, of which the second fails as often as it is told."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error
        self.runs: list[str] = []

    def first(self) -> str:
        self.runs.append("first")
        return "one"

    def second(self) -> str:
        self.runs.append("second")
        if self.failures:
            self.failures -= 1
            raise self.error
        return "two"

    def all(self) -> tuple[demo.Step, ...]:
        """The steps as the demo has them; the third is never reached here."""
        return demo.Step("a", "result", self.first), demo.Step("b", "other", self.second)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo that works in a folder of the test's, without a cloud."""
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(demo, "PROGRESS", tmp_path / "demo/progress.json")
    monkeypatch.setattr(demo, "LOG", tmp_path / "demo.log")
    monkeypatch.setattr(demo, "emulator", lambda script: True)
    monkeypatch.setattr(sys, "argv", ["demo"])
    return tmp_path


@pytest.mark.parametrize("error", [demo.StepError("no disk"), FileNotFoundError("no disk")])
def test_a_failed_step_is_told_and_the_next_run_goes_on_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    steps = Steps(1, error)
    monkeypatch.setattr(demo, "STEPS", steps.all())
    monkeypatch.setattr(demo, "CLOUD_STEP", "never")
    with pytest.raises(SystemExit) as stopped:
        demo.main()
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "no disk" in told
    assert "`make demo` goes on with this step" in told
    assert "Traceback" not in told
    demo.main()
    assert steps.runs == ["first", "second", "second"]
    assert "1 steps are done; going on" in capsys.readouterr().out
    assert not demo.PROGRESS.exists()


def test_fresh_begins_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(1, demo.StepError("no"))
    monkeypatch.setattr(demo, "STEPS", steps.all())
    monkeypatch.setattr(demo, "CLOUD_STEP", "never")
    with pytest.raises(SystemExit):
        demo.main()
    monkeypatch.setattr(sys, "argv", ["demo", "--fresh"])
    demo.main()
    assert steps.runs == ["first", "second", "first", "second"]


def test_what_a_lost_cloud_held_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(1, demo.StepError("no"))
    monkeypatch.setattr(demo, "STEPS", steps.all())
    monkeypatch.setattr(demo, "CLOUD_STEP", "a")
    with pytest.raises(SystemExit):
        demo.main()
    monkeypatch.setattr(demo, "emulator", lambda script: script != demo.RUNNING)
    demo.main()
    assert steps.runs == ["first", "second", "first", "second"]
