import asyncio
from dataclasses import dataclass, field

import pytest

from workers import service_group
from workers.service_group import ServiceGroup


@dataclass
class Recorded:
    """A service that writes down what happens to it."""

    name: str
    diary: list[str] = field(default_factory=list)
    fails: bool = False
    hangs: bool = False

    async def start(self) -> None:
        if self.fails:
            raise OSError(f"{self.name} can't start")
        self.diary.append(f"start {self.name}")

    async def stop(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.diary.append(f"stop {self.name}")


async def test_services_start_in_order_and_stop_in_reverse() -> None:
    diary: list[str] = []
    group = ServiceGroup([Recorded(name, diary) for name in "abc"])
    await group.start()
    await group.stop()
    assert diary == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]


async def test_one_that_can_not_start_stops_those_before_it() -> None:
    diary: list[str] = []
    group = ServiceGroup([Recorded("a", diary), Recorded("b", diary, fails=True), Recorded("c", diary)])
    with pytest.raises(OSError, match="b can't start") as failure:
        await group.start()
    assert failure.value.__notes__ == ["b could not be started"]
    assert diary == ["start a", "stop a"]


async def test_one_that_hangs_does_not_keep_the_others_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_group, "STOP_WITHIN", 0.05)
    diary: list[str] = []
    group = ServiceGroup([Recorded("a", diary), Recorded("b", diary, hangs=True)])
    await group.start()
    await group.stop()
    assert diary == ["start a", "start b", "stop a"]


async def test_several_that_hang_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_group, "STOP_WITHIN", 0.3)
    monkeypatch.setattr(service_group, "_AT_LEAST", 0.01)
    group = ServiceGroup([Recorded(name, hangs=True) for name in "abcde"])
    await group.start()
    started = asyncio.get_running_loop().time()
    await group.stop()
    assert asyncio.get_running_loop().time() - started < 0.6


async def test_it_stops_when_what_it_waits_for_fails() -> None:
    diary: list[str] = []
    group = ServiceGroup([Recorded(name, diary) for name in "ab"])

    async def breaks() -> None:
        await asyncio.sleep(0)
        raise OSError("nobody serves")

    with pytest.raises(OSError, match="nobody serves"):
        await group.run(until=breaks)
    assert diary[-2:] == ["stop b", "stop a"]
