"""Real servers for the tests, each on a port and in a directory of its own, never the user's.

The rule about a server that this machine lacks: `require` skips the test in an ordinary run, and fails it where the
environment says CI=true, so that nobody takes a run that has proven little for one that has proven all. A fixture reads

    with require(MariaDB().start) as database:
        yield database
"""

from tests.servers.mariadb import MariaDB
from tests.servers.missing import ServerMissing, require
from tests.servers.ports import free_port
from tests.servers.processes import Process, ProcessFailed
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.servers.scratch import shared_directory
from tests.servers.server import Server

__all__ = [
    "MariaDB",
    "Process",
    "ProcessFailed",
    "RabbitMQ",
    "Redis",
    "Server",
    "ServerMissing",
    "free_port",
    "require",
    "shared_directory",
]
