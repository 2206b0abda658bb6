"""MariaDB servers."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal

import pymysql

from tests.servers.missing import find_program
from tests.servers.processes import Process, ProcessFailed
from tests.servers.scratch import made_once
from tests.servers.server import Server

_PACKAGE: Final = "mariadb-server"
_DATABASE: Final = "homestay"
_USER: Final = "homestay"
_PASSWORD: Final = "homestay"
_ADMINISTRATOR: Final = "administrator"

# In the template and in the servers alike: a server would resize a log of another size when it starts.
_LOG_FILE_SIZE: Final = "16M"

_SQL_MODE: Final = (
    "STRICT_TRANS_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_ENGINE_SUBSTITUTION",
)

# The server runs it at each start, before it lets the first connection in.
_INIT_SQL: Final = f"""\
CREATE USER IF NOT EXISTS '{_ADMINISTRATOR}'@'127.0.0.1' IDENTIFIED BY '{_PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO '{_ADMINISTRATOR}'@'127.0.0.1' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS '{_USER}'@'127.0.0.1' IDENTIFIED BY '{_PASSWORD}';
CREATE DATABASE IF NOT EXISTS `{_DATABASE}`;
GRANT ALL PRIVILEGES ON `{_DATABASE}`.* TO '{_USER}'@'127.0.0.1';
"""


class MariaDB(Server):
    """A MariaDB server with strict SQL and the database `homestay`.

    `flush_log_at_trx_commit` is InnoDB's setting: with 1, a commit is on the disk; 2 and 0 are faster, and lose the
    last second when the machine breaks down (0 also when the server does). `memory` holds what is read often, and
    `log_size` what is not in the tables yet: more of both lets much data be what is measured, and not the disk.
    `tls` is a file with a certificate and its key: with these the server speaks TLS to whoever asks for it, and by that
    certificate it knows clients that have one.
    """

    def __init__(
        self,
        *,
        flush_log_at_trx_commit: Literal[0, 1, 2] = 1,
        memory: str = "128M",
        log_size: str = _LOG_FILE_SIZE,
        tls: Path | None = None,
    ) -> None:
        super().__init__()
        self._tls = tls
        self._flush_log_at_trx_commit = flush_log_at_trx_commit
        self._memory = memory
        self._log_size = log_size

    @property
    def url(self) -> str:
        return self._url(_DATABASE)

    def create_database(self, name: str) -> str:
        """Create one more database, for the same user, and give its URL."""
        self.query(f"CREATE DATABASE `{name}`")
        self.query(f"GRANT ALL PRIVILEGES ON `{name}`.* TO '{_USER}'@'127.0.0.1'")
        return self._url(name)

    def query(self, statement: str, *, timeout: float = 10.0) -> list[tuple[object, ...]]:
        """Run one statement as the server's administrator, on a connection of its own, and give the rows."""
        with closing(self._connect(timeout)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _url(self, database: str) -> str:
        return f"mysql+aiomysql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _connect(self, timeout: float = 10.0) -> Any:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=_ADMINISTRATOR,
            password=_PASSWORD,
            autocommit=True,
            connect_timeout=timeout,
            read_timeout=timeout,
        )

    def _assemble(self, directory: Path) -> Process:
        server = find_program("mariadbd", "mysqld", package=_PACKAGE)
        data = directory / "data"
        shutil.copytree(_template(), data)
        init = directory / "init.sql"
        init.write_text(_INIT_SQL)
        argv: list[str | Path] = [
            server,
            "--no-defaults",
            *_as_root(),
            f"--datadir={data}",
            # Relative to the data directory, so that its path stays short enough for a socket wherever TMPDIR points.
            "--socket=mariadb.sock",
            f"--pid-file={directory / 'mariadb.pid'}",
            f"--init-file={init}",
            f"--tmpdir={directory}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--skip-name-resolve",
            "--max-connections=300",
            f"--sql-mode={','.join(_SQL_MODE)}",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            f"--innodb-buffer-pool-size={self._memory}",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
            "--innodb-buffer-pool-load-at-startup=OFF",
            f"--innodb-log-file-size={self._log_size}",
            f"--innodb-flush-log-at-trx-commit={self._flush_log_at_trx_commit}",
            *([f"--ssl-{part}={self._tls}" for part in ("ca", "cert", "key")] if self._tls else []),
        ]
        return Process(argv, ready=self._answers, log=directory / "mariadb.log")

    def _answers(self) -> bool:
        try:
            with closing(self._connect(timeout=1.0)) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT @@pid_file")
                (pid_file,) = cursor.fetchone()
        except pymysql.MySQLError:
            return False
        return Path(pid_file).read_text().strip() == str(self.process.pid)


def _as_root() -> list[str]:
    # MariaDB refuses to run as root unless told to; as anybody else, it may not be told.
    return ["--user=root"] if os.geteuid() == 0 else []


def _template() -> Path:
    """Give a data directory for all servers of this run to copy: copying takes a tenth of the time."""
    return made_once("template", _install)


def _install(data: Path) -> None:
    install = find_program("mariadb-install-db", package=_PACKAGE)
    argv: list[str | Path] = [
        install,
        "--no-defaults",
        *_as_root(),
        # As Debian's package does it: otherwise root's call would hand the machine's PAM helper to `--user`.
        "--rpm",
        "--cross-bootstrap",
        "--skip-test-db",
        f"--datadir={data}",
        f"--innodb-log-file-size={_LOG_FILE_SIZE}",
        # Nothing to lose yet.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
    ]
    done = subprocess.run(  # noqa: S603 -- the tests' own words
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise ProcessFailed(f"{install.name} failed with exit code {done.returncode}:\n{done.stdout}")
