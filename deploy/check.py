"""Holds what deploys the product against the schemas and rules of those who run it; no engine has to be there.

Kubernetes' own schemas for the manifests, as they are and, where kubectl is there, as it builds them; the Compose
specification and a linter for what is risky in it, and hadolint for the image. Says what is wrong and ends with 1.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import compose_spec
import kubernetes_validate
import yaml

HERE: Final = Path(__file__).parent
# The oldest that has all that the manifests use, and the newest that the tool knows.
VERSIONS: Final = ("1.32", kubernetes_validate.latest_version())
KUSTOMIZED: Final = frozenset({"Kustomization", "Component"})


def main() -> int:
    """Checks everything and says what is wrong.

    Returns:
        The exit code.
    """
    wrong = [*_manifests(), *_builds(), *_compose(), *_image()]
    for each in wrong:
        print(each, file=sys.stderr)  # noqa: T201 -- this is a command
    return 1 if wrong else 0


def _manifests() -> Iterator[str]:
    for path in sorted((HERE / "kubernetes").rglob("*.yaml")):
        yield from _wrong(str(path.relative_to(HERE)), path.read_text(encoding="utf-8"))


def _builds() -> Iterator[str]:
    """What a cluster would be given; tests/test_deploy.py puts it together by itself, where no kubectl is there."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return
    for path in sorted((HERE / "kubernetes").rglob("kustomization.yaml")):
        name = str(path.parent.relative_to(HERE))
        if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "Component":
            continue
        built = subprocess.run([kubectl, "kustomize", path.parent], capture_output=True, text=True, check=False)  # noqa: S603 -- our own words
        yield from [f"{name}: {built.stderr.strip()}"] if built.returncode else _wrong(f"{name}, built", built.stdout)


def _wrong(name: str, manifests: str) -> Iterator[str]:
    for manifest in yaml.safe_load_all(manifests):
        for version in VERSIONS if manifest["kind"] not in KUSTOMIZED else ():
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                yield f"{name}: {manifest['kind']}, Kubernetes {version}: {error}"


def _compose() -> Iterator[str]:
    path = HERE / "compose.yaml"
    # The parser knows no merge keys, which YAML resolves, and no variables, which have their place in texts only.
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        compose_spec.PyCompose.from_json(json.dumps(content))
    except ValueError as error:
        yield f"{path.name}: {error}"
    yield from _run("compose-lint", "check", "--fail-on", "high", str(path))


def _image() -> Iterator[str]:
    yield from _run("hadolint", "--failure-threshold", "style", str(HERE / "Dockerfile"))


def _run(tool: str, *words: str) -> Iterator[str]:
    command = [str(Path(sys.executable).with_name(tool)), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- our own words
    if done.returncode != 0:
        yield f"{done.stdout}{done.stderr}".strip() or f"{tool} failed"


if __name__ == "__main__":
    sys.exit(main())
