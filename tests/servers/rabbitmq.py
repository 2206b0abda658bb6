"""RabbitMQ servers."""

import os
from pathlib import Path

import pika

from tests.servers.missing import find_program
from tests.servers.ports import free_port
from tests.servers.processes import Process
from tests.servers.server import Server
from workers.rabbitmq import ERRORS

_PACKAGE = "rabbitmq-server"
# Debian's command of this name becomes another user; this one is what it runs.
_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


class RabbitMQ(Server):
    """A RabbitMQ server, alone: of no cluster, with a directory of Erlang nodes of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._epmd: Process | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def close(self) -> None:
        super().close()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd = None

    def _assemble(self, directory: Path) -> Process:
        server = find_program(str(_PROGRAMS / "rabbitmq-server"), "rabbitmq-server", package=_PACKAGE)
        names = free_port()
        environment = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(directory / "rabbitmq.pid"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            # One thread that sleeps when it has nothing to do: by itself, Erlang keeps the machine busy.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none "
            "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        # It would start one itself that outlives it.
        if self._epmd is None:
            self._epmd = Process([find_program("epmd", package=_PACKAGE)], env=environment, cwd=directory).start()
        return Process([server], env=environment, cwd=directory, ready=self._answers, log=directory / "rabbitmq.log")

    def _answers(self) -> bool:
        parameters = pika.URLParameters(self.url)
        parameters.connection_attempts = 1
        parameters.socket_timeout = parameters.stack_timeout = 1.0
        try:
            pika.BlockingConnection(parameters).close()
        except ERRORS:
            return False
        return True
