"""Documents that a client names instead of sending: persisted by itself as it goes, or trusted from the start.

Automatic persisted queries, as Apollo's clients speak them: a client sends the SHA-256 of a document; who does not know
it says PERSISTED_QUERY_NOT_FOUND, and the client sends both once. A document is kept when it has passed validation
and its guest is known, so that nobody fills the memory with rubbish.

Trusted documents: a manifest, made when the client was built, lists what is run. Nothing else is.
"""

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.errors import EdgeCode
from bff.http.request_body import Refused, Said

log = structlog.get_logger(__name__)

T = TypeVar("T")

# What Apollo's clients look for in the message; others look at the code.
NOT_FOUND: Final = "PersistedQueryNotFound"
_VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# What one process remembers: documents, and bytes of them.
MAX_DOCUMENTS: Final = 1000
MAX_BYTES: Final = 4 * 1024 * 1024
# Seconds that a request waits for Redis, and for which Redis is left alone after it failed.
PATIENCE: Final = 0.05
PAUSE: Final = 5.0


class Documents(Protocol):
    """Who knows documents by their names."""

    async def text(self, said: Said) -> str:
        """The document that a request means.

        Raises:
            Refused: there is none, or it is not run here.
        """
        ...

    async def passed(self, said: Said) -> None:
        """The document of this request has passed validation, for a guest who is known."""
        ...


class Store(Protocol):
    """Where processes share documents. May forget, and may fail without a word: clients send a document again."""

    async def get(self, digest: str) -> str | None:
        """The document, where it is known."""
        ...

    async def put(self, digest: str, text: str) -> None:
        """Keeps a document."""
        ...


class PersistedDocuments:
    """Automatic persisted queries.

    Args:
        store: where processes share them; None where there is only this one.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0

    async def text(self, said: Said) -> str:
        """The document that a request means.

        Raises:
            Refused: it sends none, or names one that is not known.
        """
        digest = _digest(said)
        if digest is None:
            if said.query is None:
                raise Refused(400, "There is no `query`.")
            return said.query
        if said.query is not None:
            if hashlib.sha256(said.query.encode()).hexdigest() != digest:
                raise Refused(400, "The provided sha256Hash is not that of the document.")
            return said.query
        text = self._texts.get(digest)
        if text is not None:
            self._texts.move_to_end(digest)
            return text
        text = await self._store.get(digest) if self._store else None
        if text is None:
            raise Refused(200, NOT_FOUND, EdgeCode.PERSISTED_QUERY_NOT_FOUND)
        self._remember(digest, text)
        return text

    async def passed(self, said: Said) -> None:
        """Keeps the document, where the client gave it a name."""
        digest = _digest(said)
        if digest is None or said.query is None or digest in self._texts:
            return
        self._remember(digest, said.query)
        if self._store:
            await self._store.put(digest, said.query)

    def _remember(self, digest: str, text: str) -> None:
        self._texts[digest] = text
        self._bytes += len(text)
        while len(self._texts) > MAX_DOCUMENTS or self._bytes > MAX_BYTES:
            _, forgotten = self._texts.popitem(last=False)
            self._bytes -= len(forgotten)

    def __len__(self) -> int:
        """How many documents this process remembers."""
        return len(self._texts)


class RedisStore:
    """Documents in a hash of Redis, which is emptied when it is full: clients fill it again with what is in use.

    A Redis that is away or hangs keeps no request up: after one has waited for it in vain, nobody does for a while.
    """

    KEY: Final = "homestay.documents"
    # Seconds after which documents that nobody added to are forgotten: a week.
    TTL: Final = 7 * 24 * 3600

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._alone = False
        self._ask_at = 0.0
        # Questions that nobody waits for any more; each ends by the client's own time limit.
        self._left: set[asyncio.Task[Any]] = set()

    async def get(self, digest: str) -> str | None:
        """The document, where it is known and Redis can be asked."""
        if not self._may_ask():
            return None
        return await self._answer(self._get(digest))

    async def put(self, digest: str, text: str) -> None:
        """Keeps a document, where Redis can be asked."""
        if self._may_ask():
            await self._answer(self._put(digest, text))

    async def _get(self, digest: str) -> str | None:
        text = await self._redis.hget(self.KEY, digest)
        return text.decode() if isinstance(text, bytes) else text

    async def _put(self, digest: str, text: str) -> None:
        if await self._redis.hlen(self.KEY) >= MAX_DOCUMENTS:
            await self._redis.delete(self.KEY)
        await self._redis.hset(self.KEY, digest, text)
        await self._redis.expire(self.KEY, self.TTL)

    def _may_ask(self) -> bool:
        if self._alone:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            # One asks whether Redis is back; the others do not wait for the answer.
            self._ask_at = now + PAUSE
        return True

    async def _answer(self, question: Coroutine[Any, Any, T]) -> T | None:
        # In a task of its own, for redis-py may take long to end when it is cancelled.
        task = asyncio.create_task(question, name="persisted documents asked for")
        self._left.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await asyncio.shield(task)
        except (RedisError, OSError, TimeoutError) as error:
            if not self._alone:
                log.warning("persisted documents are this process's own: Redis can't be asked", reason=repr(error))
            self._alone, self._ask_at = True, time.monotonic() + PAUSE
            return None
        if self._alone:
            log.info("persisted documents are shared by Redis again")
            self._alone = False
        return answer

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()


class TrustedDocuments:
    """Runs what a manifest lists, whether it is sent or named, and nothing else.

    Args:
        texts: documents by their names.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts
        self._known = frozenset(texts.values())

    async def text(self, said: Said) -> str:
        """The document that a request means.

        Raises:
            Refused: it is not in the manifest.
        """
        name = said.document_id or _digest(said)
        if name is not None:
            # `sha256:…` is how the GraphQL-over-HTTP specification spells the same name.
            text = self._texts.get(name) or self._texts.get(name.removeprefix("sha256:"))
            if text is None:
                raise Refused(200, NOT_FOUND, EdgeCode.PERSISTED_QUERY_NOT_FOUND)
            return text
        if said.query is None:
            raise Refused(400, "There is no `query`.")
        if said.query not in self._known:
            raise Refused(403, "Only documents that were made known beforehand are run here.", EdgeCode.FORBIDDEN)
        return said.query

    async def passed(self, said: Said) -> None:
        """Nothing is added to a manifest."""

    def __len__(self) -> int:
        """How many documents are trusted."""
        return len(self._texts)


def read_manifest(path: Path) -> TrustedDocuments:
    """Reads a manifest: Apollo's format, or an object with a document for each name, as Relay and others write it.

    Raises:
        ValueError: it is neither; the message says what is wrong.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON in UTF-8") from error
    if isinstance(manifest, dict) and manifest.get("format") == "apollo-persisted-query-manifest":
        try:
            manifest = {operation["id"]: operation["body"] for operation in manifest["operations"]}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: each of its operations needs an `id` and a `body`") from error
    if not isinstance(manifest, dict) or not all(isinstance(text, str) for text in manifest.values()):
        raise ValueError(f"{path} is no manifest: expected a document for each name")
    return TrustedDocuments(manifest)


def _digest(said: Said) -> str | None:
    asked: Any = said.extensions.get("persistedQuery")
    if asked is None:
        return None
    if not isinstance(asked, dict) or asked.get("version") != _VERSION:
        raise Refused(400, "Unsupported persisted query version.")
    digest = asked.get("sha256Hash")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest.lower()):
        raise Refused(400, "`persistedQuery.sha256Hash` must be a SHA-256 in hex.")
    return digest.lower()
