"""`make serve`: start the service; stop it with Ctrl-C or SIGTERM, and requests that have begun are answered first."""

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from ..cli import UserError, reason, run
from ..settings import PACKAGE, load_settings


def main() -> None:
    """One worker process; for more throughput, start more services."""
    settings = load_settings()
    print(f"http://{settings.serve_host}:{settings.serve_port} shows what the service can do", flush=True)
    server = Granian(
        f"{PACKAGE}.serving.app:create",
        address=settings.serve_host,
        port=settings.serve_port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        factory=True,
        workers=1,
        workers_kill_timeout=30,
        log_access=False,
    )
    try:
        server.serve()
    except RuntimeError as error:
        address = f"SERVE_HOST={settings.serve_host} SERVE_PORT={settings.serve_port}"
        raise UserError(f"{address}: {reason(error)}") from None


if __name__ == "__main__":
    run(main)
