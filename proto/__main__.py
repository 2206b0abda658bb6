"""`python -m proto`: generates the gRPC modules anew, beside their .proto files."""

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "proto").glob("*.proto"))


def generate(into: Path) -> int:
    """Writes the modules of every .proto file under `into`, and returns protoc's exit code."""
    return int(
        protoc.main(
            [
                "protoc",
                f"--proto_path={ROOT}",
                f"--python_out={into}",
                f"--pyi_out={into}",
                f"--grpc_python_out={into}",
                f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).with_name('protoc-gen-mypy_grpc')}",
                f"--mypy_grpc_out={into}",
                *SOURCES,
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(generate(ROOT))
