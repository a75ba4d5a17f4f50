"""`make serve`: start the service; stop it with Ctrl-C or SIGTERM, and requests that have begun are answered first."""

from threading import Thread
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server import MPServer

from ..cli import UserError, reason, run
from ..settings import PACKAGE, load_settings


class Server(MPServer):
    """Granian, stopped by any number of signals.

    Granian 2.8 sets a threading.Event in its signal handler. A second signal, or a worker that ends at that moment,
    finds the lock of the event taken by the very thread that would release it, and the process stays for ever.
    """

    stopping = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop; the event is set by a thread of its own, and once."""
        if not self.stopping:
            self.stopping = True
            Thread(target=super().signal_handler_interrupt, daemon=True).start()


def main() -> None:
    """One worker process, started again when it dies; for more throughput, start more services."""
    settings = load_settings()
    print(f"http://{settings.serve_host}:{settings.serve_port} shows what the service can do", flush=True)
    server = Server(
        f"{PACKAGE}.serving.app:create",
        address=settings.serve_host,
        port=settings.serve_port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        factory=True,
        workers=1,
        workers_kill_timeout=30,
        respawn_failed_workers=True,
        respawn_interval=1.0,
        log_access=False,
    )
    try:
        server.serve()
    except RuntimeError as error:
        address = f"SERVE_HOST={settings.serve_host} SERVE_PORT={settings.serve_port}"
        raise UserError(f"{address}: {reason(error)}") from None


if __name__ == "__main__":
    run(main)
