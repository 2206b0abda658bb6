"""What deploys the product names what the product has; `make check` holds it against those who run it."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml
from typer.main import get_command

from bff.cli.main import app
from workers.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parent.parent
DEPLOY: Final = ROOT / "deploy"
FILES: Final = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix in {"", ".yaml", ".yml"})
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def found(pattern: str) -> set[str]:
    return {each for path in FILES for each in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)}


def test_each_variable_is_one_that_is_read() -> None:
    named = found(rf"\b{PREFIX}([A-Z_]*[A-Z])\b")
    assert {"JWT_SECRET", "DATABASE_URL", "BROKER_URL", "TRAVEL_ADDR", "PAYMENT_ADDR", "RPC_HOST"} <= named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_each_program_is_a_command() -> None:
    commands = set(get_command(app).list_commands(None))  # type: ignore[attr-defined]
    started = found(r"^ +(?:command|args): \[([a-z-]+)\]$") | set(re.findall(r'CMD \["([a-z-]+)"\]', DOCKERFILE))
    assert started >= {"bff", "worker", "order-rpc", "migrate"}
    assert started <= commands


def test_images_are_plain_names_with_a_version() -> None:
    images = found(r"^ +image: (\S+)$") | set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(images) >= 7
    for image in images - {"homestay-bff"}:  # kustomization.yaml gives this one its version
        name, _, tag = image.partition(":")
        assert "." not in name.partition("/")[0], f"{image} names a registry"
        assert tag not in {"", "latest"}, image


def test_no_secret_is_in_a_file() -> None:
    given = found(r"^ +[A-Z_]*(?:SECRET|PASSWORD|TOKEN)[A-Z_]*: (?!&)(.+)$")
    assert given
    assert {each for each in given if not each.startswith("${") and each != '"yes"'} == set()
    by_reference = (DEPLOY / "kubernetes" / "bff.yaml").read_text(encoding="utf-8")
    for name in ("JWT_SECRET", "DATABASE_URL", "BROKER_URL", "OPS_TOKEN"):
        assert re.search(rf"name: {PREFIX}{name}\n +valueFrom: {{ secretKeyRef:", by_reference)


def test_the_operators_page_can_be_switched_on_and_is_off_by_itself() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    given = {name: program.get("environment", {}) for name, program in compose["services"].items()}
    assert given["bff"]["HOMESTAY_OPS_TOKEN"] == "${HOMESTAY_OPS_TOKEN:-}"
    # It serves the page, and nobody else needs to know.
    assert [name for name, variables in given.items() if "HOMESTAY_OPS_TOKEN" in variables] == ["bff"]
    assert given["bff"].items() > given["worker"].items()
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        assert ("OPS_TOKEN" in path.read_text(encoding="utf-8")) is (path.name == "bff.yaml")
    # A secret that lacks it keeps no pod from starting.
    assert "key: ops-token, optional: true }" in (DEPLOY / "kubernetes" / "bff.yaml").read_text(encoding="utf-8")
    assert Settings(ops_token="").ops_token.get_secret_value() == ""


@pytest.mark.parametrize("room", ["bff", "domain", "proto", "workers"])
def test_the_image_has_every_room(room: str) -> None:
    assert f"COPY {room} {room}\n" in DOCKERFILE
    assert f"!{room}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_image_runs_as_nobody_in_particular_what_the_locks_say() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install (\S+)", DOCKERFILE)
    assert set(installs) == {"--require-hashes", "--no-deps"}


def test_a_program_has_time_to_stop_before_it_is_killed() -> None:
    # It ends within 15 s; what comes before SIGTERM is part of what Kubernetes grants.
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        before = sum(map(int, re.findall(r"sleep: { seconds: (\d+) }", text)))
        assert all(int(grace) >= before + 15 for grace in re.findall(r"terminationGracePeriodSeconds: (\d+)", text))
    assert "stop_grace_period: 20s" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
