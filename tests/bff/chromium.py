"""A page of a headless Chromium, driven by the protocol that its own tools speak."""

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Seconds that a start, or what a page does, may take on a machine with other work.
PATIENCE: Final = 30.0


class Refused(Exception):
    """The browser can't do that, or not now."""


class Page:
    """What a person sees and does."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0
        self.session: str | None = None

    async def do(self, method: str, **how: Any) -> Any:
        """One command of the protocol, and its answer."""
        self._count += 1
        where = {} if self.session is None else {"sessionId": self.session}
        await self._socket.send(json.dumps({"id": self._count, "method": method, "params": how, **where}))
        while True:
            said = json.loads(await asyncio.wait_for(self._socket.recv(), PATIENCE))
            if said.get("id") == self._count:
                if "error" in said:
                    raise Refused(said["error"])
                return said["result"]

    async def evaluate(self, script: str) -> Any:
        """What a script finds; a person would look. The page's policy does not bind it."""
        found = await self.do("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str) -> None:
        """Waits until a script finds something."""
        async with asyncio.timeout(PATIENCE):
            while not await self._finds(script):  # noqa: ASYNC110 -- a page calls nobody back
                await asyncio.sleep(0.05)

    async def _finds(self, script: str) -> bool:
        try:
            return bool(await self.evaluate(script))
        except Refused:  # between two pages
            return False

    async def go(self, address: str) -> None:
        await self.do("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def press(self, selector: str) -> None:
        """Clicks on something that can be seen."""
        quoted = json.dumps(selector)
        assert await self.evaluate(f"document.querySelector({quoted}).checkVisibility()")
        await self.evaluate(f"document.querySelector({quoted}).click()")

    async def picture(self, file: Path, *, width: int, scheme: str) -> int:
        """Takes a picture of all of the page; how much wider than the window it is."""
        await self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        window = {"width": width, "deviceScaleFactor": 1, "mobile": False}
        await self.do("Emulation.setDeviceMetricsOverride", height=800, **window)
        height = await self.evaluate("document.documentElement.scrollHeight")
        await self.do("Emulation.setDeviceMetricsOverride", height=height, **window)
        taken = await self.do("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(taken["data"]))
        return int(await self.evaluate("document.documentElement.scrollWidth")) - width


@asynccontextmanager
async def open_page(profile: Path) -> AsyncIterator[Page]:
    """A browser of its own, which asks nobody but this machine, with one empty page."""
    assert CHROMIUM
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with connect(await _address(profile), proxy=None, max_size=None) as socket:
            page = Page(socket)
            target = await page.do("Target.createTarget", url="about:blank")
            attached = await page.do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            page.session = attached["sessionId"]
            await page.do("Page.enable")
            yield page
            page.session = None
            await page.do("Browser.close")
    finally:
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _address(profile: Path) -> str:
    """Where the browser listens, which it writes down once it does."""
    written = profile / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(written.exists) or "\n" not in (said := written.read_text("utf-8")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    port, path = said.split("\n")[:2]
    return f"ws://127.0.0.1:{port}{path}"
