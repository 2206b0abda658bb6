"""Messages that failed for good: what there is, and what an operator can do about it.

Both Redis brokers, ours and dramatiq's own, keep them alike, for a week: a sorted set of ids by time of death, and a
hash of messages. A refusal that an actor expects ends here, too, since it would be one the next time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DecodeError

# What dramatiq notes of earlier tries; a message that is revived has them all before it.
_OF_EARLIER_TRIES: Final = ("retries", "traceback", "requeue_timestamp", "error")

_REVIVE: Final = """
local dead, dead_msgs, msgs, list = unpack(KEYS)
local id, message = unpack(ARGV)
if redis.call('ZREM', dead, id) == 0 then
    return 0
end
redis.call('HDEL', dead_msgs, id)
redis.call('HSET', msgs, id, message)
redis.call('RPUSH', list, id)
return 1
"""
_DROP: Final = """
local dead, dead_msgs = unpack(KEYS)
redis.call('HDEL', dead_msgs, ARGV[1])
return redis.call('ZREM', dead, ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """One message that failed for good."""

    id: str
    queue: str
    died_at: datetime
    # Empty if nobody can read the message.
    actor: str
    arguments: tuple[Any, ...]
    # The error of the last try, on one line.
    error: str


class DeadMessages:
    """The dead messages of a broker's queues.

    Every method may raise `redis.RedisError`: Redis can't be asked.
    """

    def __init__(self, broker: RedisBroker) -> None:
        # redis' declared answers are those of both kinds of client, with and without decoding.
        self._client: Any = broker.client
        self._namespace = broker.namespace
        self._revive = self._client.register_script(_REVIVE)
        self._drop = self._client.register_script(_DROP)

    def of(self, queue: str, *, limit: int = 100) -> list[DeadMessage]:
        """Returns the messages that died last, the latest first."""
        dead, dead_msgs = self._keys(queue)[:2]
        died = self._client.zrevrange(dead, 0, limit - 1, withscores=True)
        if not died:
            return []
        encoded = self._client.hmget(dead_msgs, [id_ for id_, _ in died])
        return [_read(queue, id_.decode(), each, at) for (id_, at), each in zip(died, encoded, strict=True) if each]

    def revive(self, queue: str, ids: Sequence[str]) -> int:
        """Sends messages again, with all their tries before them; returns how many of them were dead and readable."""
        keys = self._keys(queue)
        revived = 0
        for id_ in ids:
            if message := _decoded(self._client.hget(keys[1], id_)):
                for option in _OF_EARLIER_TRIES:
                    message.options.pop(option, None)
                revived += int(self._revive(keys=keys, args=[id_, message.encode()]))
        return revived

    def drop(self, queue: str, ids: Sequence[str]) -> int:
        """Forgets messages; returns how many of them were dead."""
        return sum(int(self._drop(keys=self._keys(queue)[:2], args=[id_])) for id_ in ids)

    def _keys(self, queue: str) -> list[str]:
        live = f"{self._namespace}:{queue}"
        return [f"{live}.XQ", f"{live}.XQ.msgs", f"{live}.msgs", live]


def _decoded(encoded: bytes | None) -> dramatiq.Message[Any] | None:
    try:
        return dramatiq.Message.decode(encoded) if encoded else None
    except DecodeError:
        return None


def _read(queue: str, id_: str, encoded: bytes, died_at: float) -> DeadMessage:
    at = datetime.fromtimestamp(died_at / 1000, UTC)
    message = _decoded(encoded)
    if message is None:
        return DeadMessage(id_, queue, at, actor="", arguments=(), error="nobody can read it")
    # dramatiq's own broker notes no error, only the trace of the last try but one.
    error = message.options.get("error") or message.options.get("traceback", "").strip().rpartition("\n")[2]
    arguments = (*message.args, *message.kwargs.values())
    return DeadMessage(id_, queue, at, message.actor_name, arguments, error)
