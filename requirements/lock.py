"""Pins every dependency with its hashes, for Python 3.11 and newer on every platform.

The locks name versions and hashes only, no index and no address, so that they install from whatever
index an installation uses.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")

for lock, what in {
    "run": ["pyproject.toml"],
    "build": ["--group", "build"],
    "dev": ["pyproject.toml", "--group", "dev", "--constraints", "requirements/run.lock"],
    "conformance": ["--group", "conformance", "--constraints", "requirements/dev.lock"],
    # Into one environment with both.
    "deploy": [
        *("--group", "deploy"),
        *("--constraints", "requirements/dev.lock"),
        *("--constraints", "requirements/conformance.lock"),
    ],
}.items():
    command = [
        *(UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--no-annotate"),
        *("--custom-compile-command", "make lock", "--upgrade"),
        *("--output-file", f"requirements/{lock}.lock", *what),
    ]
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT)  # noqa: S603 -- our own words
    print(f"requirements/{lock}.lock")  # noqa: T201 -- this is a command
