"""The images: linted everywhere; built and run where buildah is, on a base made from Debian packages."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.service import call, free_port, make, wait_for
from harness import PristineRenders

BASE = "localhost/python-base"
PACKAGES = "ca-certificates,python3,python3-venv"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MISSING = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]


@pytest.mark.parametrize("serving", [True, False])
def test_hadolint_finds_nothing(renders: PristineRenders, serving: bool) -> None:
    files = sorted(map(str, (renders.get({"serving": serving}) / "docker").iterdir()))
    assert len(files) == (2 if serving else 1)
    done = subprocess.run(["hadolint", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_only_what_the_images_need_is_sent(renders: PristineRenders) -> None:
    lines = (renders.get({}) / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    assert not [line for line in lines if line.startswith("!.env") or line.startswith("!.git")]


class Engine:
    """buildah with chroot isolation, which needs no container engine; `base` stands in for the image of Docker Hub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = folder / "engine"
        storage = f"--storage-driver vfs --root {folder}/root --runroot {folder}/run"
        self.command.write_text(
            f'#!/bin/sh\nexport BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker\nexec buildah {storage} "$@"\n'
        )
        self.command.chmod(0o755)

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run([str(self.command), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.strip()

    def make_base(self) -> None:
        """A Debian with Python; it trusts what this machine trusts, so that packages can be fetched."""
        context = self.folder / "base"
        context.mkdir()
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(self.folder / "rootfs")],
            check=True,
            capture_output=True,
        )
        subprocess.run(["tar", "-C", str(self.folder / "rootfs"), "-cf", str(context / "base.tar"), "."], check=True)
        shutil.copy(CERTIFICATES, context / "trusted.crt")
        (context / "Dockerfile").write_text(
            f"FROM scratch\nADD base.tar /\nCOPY trusted.crt {CERTIFICATES}\n"
            f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}\n"
        )
        self("build", "--quiet", "--tag", BASE, str(context))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("engine"))
    made.make_base()
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian packages)")
@pytest.mark.skipif(os.geteuid() != 0, reason="chroot isolation needs root")
def test_the_images_build_and_run(engine: Engine, renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    make(project, "pipeline", "promote")
    make(project, "image", f"ENGINE={engine.command}", f"BASE_IMAGE={BASE}")
    bill = json.loads((project / "reports/sbom.cdx.json").read_text(encoding="utf-8"))
    parts = {part["name"] for part in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"granian", "onnxruntime", "openfeature-sdk"} <= parts
    assert not {"mlflow", "pandas", "scikit-learn"} & parts

    container = engine("from", "localhost/harness-serve")
    port = free_port()
    command = [str(engine.command), "run", "--user", "10001", "--env", f"SERVE_PORT={port}", container, "--"]
    server = subprocess.Popen([*command, "python", "-m", "harness.serving"])
    try:
        wait_for(f"http://127.0.0.1:{port}/health/ready", server)
        _, described = call(f"http://127.0.0.1:{port}/openapi.json")
        status, answer = call(f"http://127.0.0.1:{port}/predict", described["x-example"])
        assert status == 200, answer
        for heavy in ("mlflow", "pandas", "sklearn"):
            found = subprocess.run([*command, "python", "-c", f"import {heavy}"], capture_output=True, check=False)
            assert found.returncode != 0, heavy
        assert "uid=10001(service)" in engine("run", "--user", "10001", container, "--", "id")
    finally:
        server.terminate()
        time.sleep(0.5)
        server.kill()
        subprocess.run(["pkill", "-f", "harness.serving"], check=False)

    trainer = engine("from", "localhost/harness-train")
    script = "python -m harness.pipeline.data && dvc repro"
    trained = engine("run", "--user", "10001", trainer, "--", "sh", "-c", script)
    assert "version 1 is the challenger" in trained
