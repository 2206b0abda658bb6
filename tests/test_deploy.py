"""What deploys the product names what the product has; `make check` holds it against those who run it."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command

from bff.cli.main import app
from workers.settings import (
    PREFIX,
    EdgeSettings,
    MigrationSettings,
    ServiceSettings,
    Settings,
    WorkerSettings,
    read,
)

ROOT: Final = Path(__file__).parent.parent
DEPLOY: Final = ROOT / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
JWKS: Final = "https://sign-in.example.org/keys"
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
    for image in images - {"homestay-bff"}:  # the kustomization in image/ gives this one its version
        name, _, tag = image.partition(":")
        assert "." not in name.partition("/")[0], f"{image} names a registry"
        assert tag not in {"", "latest"}, image


def manifests(directory: Path, into: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """What `kubectl apply --kustomize` of a directory gives a cluster, as far as we use it."""
    built: list[dict[str, Any]] = [] if into is None else into
    content = yaml.safe_load((directory / "kustomization.yaml").read_text(encoding="utf-8"))
    assert set(content) <= {"apiVersion", "kind", "namespace", "resources", "components", "images"}
    for name in content.get("resources", []):
        path = directory / name
        built += manifests(path) if path.is_dir() else yaml.safe_load_all(path.read_text(encoding="utf-8"))
    for name in content.get("components", []):
        manifests(directory / name, built)
    tags = {image["name"]: image["newTag"] for image in content.get("images", [])}
    for container in map(container_of, filter(container_of, built)):
        container["image"] += f":{tags[container['image']]}" if container["image"] in tags else ""
    return built


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = manifest.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    return found[0] if found else {}


def test_every_program_and_the_migration_run_the_image_of_this_version() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    programs = [each for name in (".", "migrate") for each in manifests(KUBERNETES / name) if container_of(each)]
    assert [each["kind"] for each in programs] == ["Deployment"] * 3 + ["Job"]
    assert {container_of(each)["image"] for each in programs} == {f"homestay-bff:{ours}"}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    built = {program["image"] for program in compose["services"].values() if "build" in program}
    assert built == {f"homestay-bff:{ours}"}


def test_every_manifest_is_given_to_a_cluster_by_a_kustomization() -> None:
    listed = {
        (path.parent / name).resolve()
        for path in KUBERNETES.rglob("kustomization.yaml")
        for name in yaml.safe_load(path.read_text(encoding="utf-8")).get("resources", [])
    }
    assert {path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"} <= listed
    # Whoever applies any of them has a namespace to put it in.
    for name in (".", "migrate", "settings"):
        assert "Namespace" in {each["kind"] for each in manifests(KUBERNETES / name)}


def test_an_autoscaler_alone_says_how_many_there_are() -> None:
    all_of_them = manifests(KUBERNETES)
    scaled = {
        each["spec"]["scaleTargetRef"]["name"] for each in all_of_them if each["kind"] == "HorizontalPodAutoscaler"
    }
    assert scaled == {"bff", "worker", "order-rpc"}
    for each in all_of_them:
        # Applying a number would set a deployment under load back to it.
        assert not (each["kind"] == "Deployment" and each["metadata"]["name"] in scaled and "replicas" in each["spec"])


def secrets_of(manifest: dict[str, Any]) -> dict[str, bool]:
    """The variables that a program has from the secret, and whether it starts without."""
    given = {
        each["name"]: each["valueFrom"]["secretKeyRef"] for each in container_of(manifest)["env"] if "valueFrom" in each
    }
    for name, reference in given.items():
        assert reference["key"] == name.removeprefix(PREFIX).lower().replace("_", "-")
    return {name.removeprefix(PREFIX): reference.get("optional", False) for name, reference in given.items()}


def test_a_program_has_the_secrets_that_it_uses_and_no_more() -> None:
    programs = [each for name in (".", "migrate") for each in manifests(KUBERNETES / name) if container_of(each)]
    assert {container_of(each)["name"]: secrets_of(each) for each in programs} == {
        # Where a sign-in service signs tokens, there is no key of ours.
        "bff": {"JWT_SECRET": True, "DATABASE_URL": False, "BROKER_URL": False, "OPS_TOKEN": True},
        "worker": {"DATABASE_URL": False, "BROKER_URL": False, "NOTIFY_SECRET": True},
        "order-rpc": {"DATABASE_URL": False, "BROKER_URL": False},
        "migrate": {"DATABASE_URL": False},
    }
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    given = {name: program.get("environment", {}) for name, program in compose["services"].items()}
    for variable, who in (("JWT_SECRET", "bff"), ("OPS_TOKEN", "bff"), ("NOTIFY_SECRET", "worker")):
        assert [name for name, variables in given.items() if PREFIX + variable in variables] == [who]
        assert given[who][PREFIX + variable] == f"${{{PREFIX}{variable}:-}}"


@pytest.mark.parametrize("extra", [{"JWT_SECRET": "a-key-of-this-installation-and-no-other"}, {"JWT_JWKS_URL": JWKS}])
def test_the_programs_start_with_the_variables_that_the_manifests_give_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = next(each["data"] for each in manifests(KUBERNETES) if each["kind"] == "ConfigMap")
    secret = {
        "DATABASE_URL": "mysql+aiomysql://u:w@db/n",
        "BROKER_URL": "redis://r",
        "NOTIFY_SECRET": "n" * 24,
        **extra,
    }
    kinds = {"bff": EdgeSettings, "worker": WorkerSettings, "order-rpc": ServiceSettings, "migrate": MigrationSettings}
    for each in [each for name in (".", "migrate") for each in manifests(KUBERNETES / name) if container_of(each)]:
        for name in Settings.model_fields:
            monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
        named = secrets_of(each)
        values = {name: value for name, value in secret.items() if name in named or name == "JWT_JWKS_URL"}
        for name, value in {"NOTIFY_URL": "https://push.internal/hook", **values}.items():
            monkeypatch.setenv(PREFIX + name, value)
        for name, value in config.items():
            monkeypatch.setenv(name, value)
        read(kinds[container_of(each)["name"]])


def test_no_secret_is_in_a_file() -> None:
    given = found(r"^ +[A-Z_]*(?:SECRET|PASSWORD|TOKEN)[A-Z_]*: (?!&)(.+)$")
    assert given
    assert {each for each in given if not each.startswith("${") and each != '"yes"'} == set()
    by_value = found(rf"name: {PREFIX}[A-Z_]*(?:SECRET|TOKEN|URL)\n +value: (.+)$")
    assert by_value == set()


def test_the_operators_page_can_be_switched_on_and_is_off_by_itself() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    given = {name: program.get("environment", {}) for name, program in compose["services"].items()}
    assert given["bff"]["HOMESTAY_OPS_TOKEN"] == "${HOMESTAY_OPS_TOKEN:-}"
    # It serves the page, and nobody else needs to know.
    assert [name for name, variables in given.items() if "HOMESTAY_OPS_TOKEN" in variables] == ["bff"]
    assert given["bff"].items() >= given["order-rpc"].items()
    assert Settings(ops_token="").ops_token.get_secret_value() == ""


@pytest.mark.parametrize("room", ["bff", "domain", "proto", "workers"])
def test_the_image_has_every_room(room: str) -> None:
    assert f"COPY {room} {room}\n" in DOCKERFILE
    assert f"!{room}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_image_runs_as_nobody_in_particular_what_the_locks_say() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install (\S+)", DOCKERFILE)
    assert set(installs) == {"--require-hashes", "--no-deps"}


def test_who_may_call_a_service_without_passwords_is_labelled_for_it() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in manifests(KUBERNETES) if "Policy" in each["kind"]}
    programs = {each["metadata"]["name"]: each for each in manifests(KUBERNETES) if each["kind"] == "Deployment"}
    for name in ("order-rpc", "worker"):
        labels = programs[name]["spec"]["template"]["metadata"]["labels"]
        assert policies[name]["podSelector"]["matchLabels"] == labels
        assert policies[name]["policyTypes"] == ["Ingress"]
        ports = {each["name"]: each["containerPort"] for each in container_of(programs[name])["ports"]}
        opened = {port["port"]: "from" in rule for rule in policies[name]["ingress"] for port in rule["ports"]}
        # Figures are for whoever scrapes; what changes orders is for few.
        assert opened == {port: what != "watch" for what, port in ports.items()}


def test_what_answers_no_http_is_watched_where_the_manifests_ask() -> None:
    (port,) = re.findall(r"HOMESTAY_WATCH_PORT=(\d+)", DOCKERFILE)
    for name in ("worker", "order-rpc"):
        program = next(each for each in manifests(KUBERNETES) if container_of(each).get("name") == name)
        container = container_of(program)
        assert {"name": "watch", "containerPort": int(port)} in container["ports"]
        assert program["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == port
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"] == {"path": "/livez", "port": "watch"}


def test_every_scrape_is_of_the_job_that_alerts_ask_for() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    shown.append(yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")))
    assert len(shown) == 3
    assert [[scrape["job_name"] for scrape in each["scrape_configs"]] for each in shown] == [["homestay"]] * 3
    assert 'up{job="homestay"}' in (DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")


def test_a_program_has_time_to_stop_before_it_is_killed() -> None:
    # It ends within 15 s; what comes before SIGTERM is part of what Kubernetes grants.
    for path in KUBERNETES.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        before = sum(map(int, re.findall(r"sleep: { seconds: (\d+) }", text)))
        assert all(int(grace) >= before + 15 for grace in re.findall(r"terminationGracePeriodSeconds: (\d+)", text))
    assert "stop_grace_period: 20s" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
