"""TLS to the database: as the URL asks for it, with a server that can show who it is, or not at all."""

import asyncio
import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from domain.database import Database
from domain.engine import create_engine
from domain.errors import DatabaseUnavailable
from tests.servers import MariaDB, require


def certified(file: Path, address: str) -> Path:
    """A certificate that vouches for itself, and its key, in one file."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificate of the server, of a server elsewhere, and of somebody else."""
    directory = tmp_path_factory.mktemp("tls")
    certified(directory / "server.pem", "127.0.0.1")
    certified(directory / "elsewhere.pem", "127.0.0.9")
    certified(directory / "other.pem", "127.0.0.1")
    return directory


@pytest.fixture(scope="module")
def server(files: Path) -> Iterator[MariaDB]:
    with require(MariaDB(flush_log_at_trx_commit=2, tls=files / "server.pem").start) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(files: Path) -> Iterator[MariaDB]:
    """A server whose certificate is for another address."""
    with require(MariaDB(flush_log_at_trx_commit=2, tls=files / "elsewhere.pem").start) as server:
        yield server


async def cipher(url: str) -> str:
    """How a connection is encrypted; empty where it is not."""
    database = Database(create_engine(url))
    try:
        shown = sa.text("show session status like 'Ssl_cipher'")
        return str((await database.read(lambda connection: connection.execute(shown))).one()[1])
    finally:
        await database.close()
        # A handshake that failed ends its connection at the loop's next turns.
        await asyncio.sleep(0.1)


async def test_whoever_asks_for_tls_gets_it(server: MariaDB, files: Path) -> None:
    assert await cipher(f"{server.url}?ssl_ca={files / 'server.pem'}") != ""
    assert await cipher(server.url) == ""


async def test_a_client_may_show_a_certificate_of_its_own(server: MariaDB, files: Path) -> None:
    known, stranger = files / "server.pem", files / "other.pem"
    assert await cipher(f"{server.url}?ssl_ca={known}&ssl_cert={known}&ssl_key={known}") != ""
    with pytest.raises(DatabaseUnavailable):
        await cipher(f"{server.url}?ssl_ca={known}&ssl_cert={stranger}&ssl_key={stranger}")


@pytest.mark.parametrize("asked", ["ssl_ca={files}/other.pem", "ssl=true", "ssl_ca={files}/nowhere.pem"])
async def test_a_server_that_nobody_known_vouches_for_is_refused(server: MariaDB, files: Path, asked: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        await cipher(f"{server.url}?{asked.format(files=files)}")


async def test_a_server_that_is_another_one_is_refused_unless_that_is_allowed(elsewhere: MariaDB, files: Path) -> None:
    url = f"{elsewhere.url}?ssl_ca={files / 'elsewhere.pem'}"
    with pytest.raises(DatabaseUnavailable):
        await cipher(url)
    assert await cipher(f"{url}&ssl_check_hostname=false") != ""


async def test_a_server_without_tls_is_refused(mariadb: MariaDB, files: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await cipher(f"{mariadb.url}?ssl_ca={files / 'server.pem'}")
