"""What is made once for all processes of a run: nobody gets it half made, and who fails spoils nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import scratch

MAKER = """\
import sys, time
from pathlib import Path
from tests.servers.scratch import made_once

def make(directory: Path) -> None:
    directory.mkdir()
    print("made")
    time.sleep(0.3)
    (directory / "last").touch()

assert (made_once("it", make) / "last").exists()
"""


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TESTS_SHARED_DIRECTORY", str(tmp_path))
    return tmp_path


def test_one_of_many_processes_makes_it_and_the_others_wait() -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKER], stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own words
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(said) == ["", "", "", "made\n"]


def test_what_could_not_be_made_is_made_anew_for_the_next() -> None:
    def fail(directory: Path) -> None:
        directory.mkdir()
        raise OSError("the test says so")

    with pytest.raises(OSError, match="the test says so"):
        scratch.made_once("it", fail)
    assert list(scratch.made_once("it", Path.mkdir).iterdir()) == []


def test_the_directory_is_that_of_whoever_started_this_process(shared: Path) -> None:
    assert scratch.shared_directory() == shared
