import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bff import explorer

TOOLS = ("cat", "cksum", "cp", "dirname", "find", "head", "mkdir", "mv", "rm", "sort")

NPM = """#!/bin/sh
echo "npm $*" >>"$CALLS"
"""

NODE = """#!/bin/sh
echo "node $*" >>"$CALLS"
mkdir build
echo "built" >build/index.html
"""


class Room:
    """A copy of the page's folder, on a machine that has nothing but the tools named here."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "explorer"
        self.tools = path / "bin"
        self.calls = path / "calls"
        self.tools.mkdir()
        left_out = shutil.ignore_patterns("build", "node_modules", ".work-*", "__pycache__")
        shutil.copytree(Path(explorer.__file__).parent, self.folder, ignore=left_out)
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.tools / name).symlink_to(found)

    def tool(self, name: str, script: str) -> None:
        (self.tools / name).write_text(script, encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def run(self) -> list[str]:
        """Build from another folder than the page's own, and return the lines it says."""
        done = subprocess.run(  # noqa: S603 the script is ours
            [self.folder / "build.sh"],
            cwd=self.tools,
            env={"PATH": str(self.tools), "CALLS": str(self.calls), "HOME": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        assert not list(self.folder.glob(".work-*"))
        return done.stdout.splitlines()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_without_npm_one_line_says_what_is_served(room: Room) -> None:
    assert room.run() == ["GraphiQL: npm is missing, so a plain page is served instead."]
    assert not (room.folder / "build").exists()


def test_it_builds_once_for_every_state_of_the_sources(room: Room) -> None:
    room.tool("npm", NPM)
    room.tool("node", NODE)
    assert len(room.run()) == 2
    assert (room.folder / "build" / "index.html").read_text(encoding="utf-8") == "built\n"
    calls = room.calls.read_text(encoding="utf-8")
    assert calls.startswith("npm ci ")
    assert "\nnode node_modules/vite/bin/vite.js build" in calls

    assert room.run() == []
    assert room.calls.read_text(encoding="utf-8") == calls

    (room.folder / "src" / "new.js").write_text("// new", encoding="utf-8")
    assert len(room.run()) == 2
    assert room.run() == []
    assert not (room.folder / "build" / "build").exists()


@pytest.mark.parametrize(
    ("npm", "node"),
    [
        ("#!/bin/sh\necho npm error code ENOTFOUND >&2\nexit 1\n", NODE),
        (NPM, "#!/bin/sh\nmkdir build\necho half >build/half.js\necho broken >&2\nexit 1\n"),
    ],
    ids=["packages cannot be had", "build breaks off"],
)
def test_a_build_that_fails_stops_nobody_and_leaves_nothing(room: Room, npm: str, node: str) -> None:
    room.tool("npm", npm)
    room.tool("node", node)
    _, last = room.run()
    assert last.startswith("GraphiQL: the page could not be built (")
    assert last.endswith("), so a plain page is served instead.")
    assert not (room.folder / "build").exists()


def test_a_build_that_fails_leaves_the_earlier_page(room: Room) -> None:
    room.tool("npm", NPM)
    room.tool("node", NODE)
    room.run()
    (room.folder / "index.html").write_text("new", encoding="utf-8")
    room.tool("node", "#!/bin/sh\nexit 1\n")
    assert room.run()[-1].endswith("so the page built earlier is served.")
    assert (room.folder / "build" / "index.html").read_text(encoding="utf-8") == "built\n"


def test_the_lock_names_no_address() -> None:
    lock = (Path(explorer.__file__).parent / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
