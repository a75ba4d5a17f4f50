"""Pulumi language host for Python programs and policy packs, on the gRPC stubs of the Pulumi SDK.

The engine starts it as `pulumi-language-python ENGINE_ADDRESS`, reads the port that it prints, and asks it to run
programs. It stands in for the official host where that cannot be downloaded: it runs programs and policy packs by
their own virtual environment (option `virtualenv`, or `.venv` beside the project as toolchain uv keeps it).
"""

import importlib.metadata
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from groundplan_infra.engine.run_program import BAIL

RUNNER = Path(__file__).with_name("run_program.py")
MAX_MESSAGE_BYTES = 400 << 20


def interpreter(info: Any) -> str:
    """Python of a program: of its virtual environment, else the one that runs this host."""
    root = Path(info.root_directory)
    for folder in filter(None, [dict(info.options).get("virtualenv"), ".venv"]):
        python = root / folder / "bin" / "python"
        if python.exists():
            return str(python)
    return sys.executable


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The calls that the engine makes. Their names are the protocol's."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.running: set[subprocess.Popen] = set()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        folder = Path(request.info.root_directory)
        if (folder / "pyproject.toml").exists():
            for item in self.stream(["uv", "sync"], folder, {}):
                if isinstance(item, int) and item:
                    context.abort(grpc.StatusCode.UNKNOWN, f"uv sync in {folder} failed with exit code {item}")
                elif isinstance(item, tuple):
                    yield language_pb2.InstallDependenciesResponse(**printed(item))

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        info = request.info
        settings = {
            "monitor": request.monitor_address,
            "engine": self.engine,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
        }
        environment = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "GROUNDPLAN_RUN": json.dumps(settings),
        }
        entry = info.entry_point if info.entry_point not in ("", ".") else ""
        program = str(Path(info.program_directory) / entry)
        python = interpreter(info)
        process = subprocess.Popen(
            [python, "-u", str(RUNNER), program, *request.args], cwd=request.pwd, env=environment
        )
        code = self.wait(process)
        if code == BAIL:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error="the program was interrupted")
        return language_pb2.RunResponse(error="" if code == 0 else f"the program ended with exit code {code}")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        info = request.info
        if request.kind == "analyzer":
            # A policy pack: the engine's address, then the pack.
            command = [interpreter(info), "-u", "-m", "pulumi.policy", *request.args, info.program_directory]
            folder = info.program_directory
        else:
            command, folder = [interpreter(info), "-u", info.program_directory, *request.args], request.pwd
        for item in self.stream(command, Path(folder), dict(each.split("=", 1) for each in request.env)):
            if isinstance(item, int):
                yield language_pb2.RunPluginResponse(exitcode=item)
            else:
                yield language_pb2.RunPluginResponse(**printed(item))

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.stop()
        return Empty()

    def wait(self, process: subprocess.Popen) -> int:
        """Exit code of a process, which `stop` may end."""
        self.running.add(process)
        try:
            return process.wait()
        finally:
            self.running.discard(process)

    def stop(self) -> None:
        """End what runs."""
        for process in list(self.running):
            process.terminate()

    def stream(self, command: list[str], folder: Path, more: Mapping[str, str]) -> Iterator[tuple[str, bytes] | int]:
        """Run a command: ("stdout" or "stderr", bytes) as it prints, then its exit code."""
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        lines: queue.Queue[tuple[str, bytes] | None] = queue.Queue()

        def forward(name: str, pipe: Any) -> None:
            for line in iter(pipe.readline, b""):
                lines.put((name, line))
            lines.put(None)

        pipes = {"stdout": process.stdout, "stderr": process.stderr}
        for name, pipe in pipes.items():
            threading.Thread(target=forward, args=(name, pipe), daemon=True).start()
        still_open = len(pipes)
        while still_open:
            item = lines.get()
            if item is None:
                still_open -= 1
            else:
                yield item
        yield self.wait(process)


def printed(item: tuple[str, bytes]) -> dict[str, Any]:
    """What a command printed, as a field of the engine's messages."""
    return {item[0]: item[1]}


def main() -> None:
    """Serve until the engine ends this process, or is killed; Ctrl-C is the engine's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started_by = os.getppid()
    engine = next((each for each in reversed(sys.argv[1:]) if not each.startswith("-")), "")
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    )
    host = LanguageHost(engine)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while server.wait_for_termination(timeout=1) and os.getppid() == started_by:
        pass
    server.stop(grace=None)
    host.stop()


if __name__ == "__main__":
    main()
