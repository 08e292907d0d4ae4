"""Servers for a WSGI application: gunicorn's many processes, or threads beside other work in this one."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from gunicorn.app.base import BaseApplication
from waitress import wasyncore
from waitress.server import create_server

from wabot.core.limits import META_WEBHOOK_BYTES
from wabot.errors import ConfigurationError

Application = Callable[..., Iterable[bytes]]
"""As PEP 3333 has it."""
MAX_BODY = META_WEBHOOK_BYTES + 1024 * 1024
"""Bytes of a body that are read at all; what the application takes is less, and it says so more kindly."""
QUIET = 30
"""Seconds after which a connection that says nothing is closed."""
POLL = 0.2


def serve_processes(
    make: Callable[[], Application],
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    ready: Callable[[str], None],
    ended: Callable[[], None],
) -> None:
    """Serve with gunicorn until SIGTERM or SIGINT, and leave by SystemExit.

    Each worker calls `make` for an application of its own, and `ended` before it ends; `ready` is told the
    address once. Raises ConfigurationError where nothing can listen there.
    """
    # gunicorn tries an address for five seconds and then ends with lines of its own.
    if port:
        _listen(host, port).close()
    options: dict[str, Any] = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": workers,
        "threads": threads,
        "worker_class": "gthread",
        "loglevel": "warning",
        "control_socket_disable": True,
        "when_ready": lambda arbiter: ready(address(host, arbiter.LISTENERS[0].sock.getsockname()[1])),
        "worker_exit": lambda _arbiter, _worker: ended(),
    }
    if os.path.isdir("/dev/shm"):  # noqa: PTH112, S108 - where gunicorn's own documentation wants it
        # A worker tells by a file that it lives; on a disk that is busy it would be taken for dead.
        options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108 - the same
    _Gunicorn(make, options).run()


class _Gunicorn(BaseApplication):
    """Gunicorn told by us and nobody else: neither by its command line nor by a file that lies about."""

    def __init__(self, make: Callable[[], Application], options: dict[str, Any]) -> None:
        self._make = make
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            # Older ones have no control socket.
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Application:
        return self._make()


class Threads:
    """Serves an application in threads of this process, between `start` and `stop` or in its `with` block."""

    def __init__(self, application: Application, *, host: str, port: int, threads: int) -> None:
        self._map: dict[int, Any] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wabot-web")
        sockets = [_listen(host, port)]
        self.url = address(host, sockets[0].getsockname()[1])
        self._server = create_server(
            application,
            map=self._map,
            sockets=sockets,
            threads=threads,
            ident=None,
            channel_timeout=QUIET,
            max_request_body_size=MAX_BODY,
            # The application itself knows which proxies to trust.
            clear_untrusted_proxy_headers=False,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, and wait for those that are being answered."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._map)

    def _run(self) -> None:
        while not self._stopped.is_set():
            wasyncore.loop(timeout=POLL, map=self._map, count=1, use_poll=True)


def _listen(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises ConfigurationError that says why there can't be one."""
    try:
        family, kind, protocol, _, where = next(iter(_found(host, port)))
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"nothing can listen at {host}, port {port}: {error.strerror}", hint=_mend(error)
        ) from error
    return listening


def _found(host: str, port: int) -> Iterable[tuple[int, int, int, str, Any]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)


def _mend(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "something else listens there: end it, or take another port with --port"
    if error.errno == errno.EACCES:
        return "ports below 1024 are for root: take another with --port"
    return "look at host and port of [web] in wabot.toml: 127.0.0.1 is this machine alone, 0.0.0.0 everybody"


def address(host: str, port: int) -> str:
    """The URL of what listens there, for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
