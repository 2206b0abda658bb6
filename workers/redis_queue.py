"""One queue in Redis: its keys, and the scripts that move messages between them.

    <queue>.msgs               hash         id -> message, until it is done
    <queue>                    list         ids of messages that may run now
    <queue>.Z                  sorted set   ids of messages that wait, by due time
    __acks__.<worker>.<queue>  set          ids of messages that a worker has taken
    <queue>.beats              sorted set   workers, by their last sign of life
    <queue>.XQ, <queue>.XQ.msgs             dead messages, by time of death

All but `.Z` and `.beats` are dramatiq's own. A script is one step for Redis, so an id is always in exactly one of these
places, whoever dies. All times are Redis' own: no two machines' clocks are ever compared.

Scripts that empty the queue begin with a command that frees memory: a full Redis refuses those that begin with one that
takes some, and lets the others go through.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

import redis

# Messages moved by one script call: Redis does nothing else meanwhile.
AT_ONCE: Final = 500
# Milliseconds without a sign of life until what a worker has taken goes to others. It gives one each tick, from a
# thread of its own, however long its messages run.
SILENCE: Final = 5_000
# Milliseconds for which a dead message is kept.
DEAD_FOR: Final = 7 * 86_400_000

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# A client that got no answer sends again: the second time changes nothing.
_ADD: Final = """
local msgs, list, waiting = unpack(KEYS)
for i = 1, #ARGV, 3 do
    local id, message, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if redis.call('HSETNX', msgs, id, message) == 1 then
        if delay == '' then
            redis.call('RPUSH', list, id)
        else
            redis.call('ZADD', waiting, now + delay, id)
        end
    end
end
"""
# A worker that has taken something must be known, or nobody would take it over.
_TAKE: Final = """
local msgs, list, acks, beats = unpack(KEYS)
local worker, count = unpack(ARGV)
local taken = {}
for _ = 1, count do
    local id = redis.call('LPOP', list)
    if not id then
        break
    end
    local message = redis.call('HGET', msgs, id)
    if message then
        redis.call('SADD', acks, id)
        redis.call('ZADD', beats, 'NX', now, worker)
        table.insert(taken, id)
        table.insert(taken, message)
    end
end
return taken
"""
_DONE: Final = """
local msgs, acks = unpack(KEYS)
for _, id in ipairs(ARGV) do
    if redis.call('SREM', acks, id) == 1 then
        redis.call('HDEL', msgs, id)
    end
end
"""
_AGAIN: Final = """
local msgs, acks, list, waiting = unpack(KEYS)
for i = 1, #ARGV, 3 do
    local id, message, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if redis.call('SREM', acks, id) == 1 then
        redis.call('HSET', msgs, id, message)
        if delay == '' then
            redis.call('RPUSH', list, id)
        else
            redis.call('ZADD', waiting, now + delay, id)
        end
    end
end
"""
_BURY: Final = """
local msgs, acks, dead, dead_msgs = unpack(KEYS)
for i = 1, #ARGV, 2 do
    local id, message = ARGV[i], ARGV[i + 1]
    if redis.call('SREM', acks, id) == 1 then
        redis.call('HDEL', msgs, id)
        redis.call('HSET', dead_msgs, id, message)
        redis.call('ZADD', dead, now, id)
    end
end
"""
_GIVE_BACK: Final = """
local acks, list = unpack(KEYS)
for position = #ARGV, 1, -1 do
    if redis.call('SREM', acks, ARGV[position]) == 1 then
        redis.call('LPUSH', list, ARGV[position])
    end
end
"""
_RECLAIM: Final = """
local acks, list = unpack(KEYS)
local held = {}
for _, id in ipairs(ARGV) do
    held[id] = true
end
local count = 0
for _, id in ipairs(redis.call('SMEMBERS', acks)) do
    if not held[id] then
        redis.call('SREM', acks, id)
        redis.call('LPUSH', list, id)
        count = count + 1
    end
end
return count
"""
# Who was cut off for a while can't tell the dead from those who were cut off as well, and gives them time to come back.
# What a dead worker had taken goes to the end of the list: it may be what the worker died of.
_TICK: Final = """
local list, waiting, beats, dead, dead_msgs = unpack(KEYS)
local worker, acks_of, queue, seen, steady, silence, at_once, dead_for = unpack(ARGV)
redis.call('ZREM', beats, worker)
redis.call('ZADD', beats, now, worker)
if now - seen > silence / 2 then
    steady = now
end
local taken_over = 0
if now - steady >= tonumber(silence) then
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', now - silence)) do
        local acks = acks_of .. other .. '.' .. queue
        for _, id in ipairs(redis.call('SMEMBERS', acks)) do
            redis.call('SREM', acks, id)
            redis.call('RPUSH', list, id)
            taken_over = taken_over + 1
        end
        redis.call('ZREM', beats, other)
    end
end
local due = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, at_once)
for _, id in ipairs(due) do
    redis.call('ZREM', waiting, id)
    redis.call('RPUSH', list, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', now - dead_for, 'LIMIT', 0, at_once)) do
    redis.call('ZREM', dead, id)
    redis.call('HDEL', dead_msgs, id)
end
local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
return {now, tonumber(steady), taken_over, redis.call('LLEN', list), first and math.max(0, first - now) or -1}
"""


class New(NamedTuple):
    """A message that is sent."""

    id: str
    encoded: bytes
    # Milliseconds until it falls due; None if it may run at once.
    delay: int | None


class Tick(NamedTuple):
    """What one look at a queue did and found."""

    taken_over: int
    runnable: int
    # Milliseconds until the next message falls due, 0 where it has and was too many; negative if none waits.
    next_due: int


class Stored(NamedTuple):
    """A message as Redis has it."""

    id: str
    encoded: bytes


class _Ended:
    """Messages that have run, of which one thread tells Redis for all."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.told: Future[None] = Future()


class RedisQueue:
    """The messages of one queue, as one worker or sender sees them.

    Every method that asks Redis may raise `redis.RedisError`; what it asked for was then done or not, and may be asked
    for again.

    Args:
        client: a Redis client with timeouts.
        namespace: the beginning of every key.
        name: the queue's.
        worker: the name under which messages are taken.
    """

    def __init__(self, client: redis.Redis, *, namespace: str, name: str, worker: str) -> None:
        self._client = client
        self._name = name
        self._worker = worker
        self._acks_of = f"{namespace}:__acks__."
        self._acks = f"{self._acks_of}{worker}.{name}"
        self._list = f"{namespace}:{name}"
        self._msgs, self._waiting, self._beats, self._dead, self._dead_msgs = (
            f"{self._list}.{ending}" for ending in ("msgs", "Z", "beats", "XQ", "XQ.msgs")
        )
        self._add, self._take, self._again, self._bury, self._tick = (
            client.register_script(_NOW + script) for script in (_ADD, _TAKE, _AGAIN, _BURY, _TICK)
        )
        self._done, self._give_back, self._reclaim = map(client.register_script, (_DONE, _GIVE_BACK, _RECLAIM))
        # Taken here and not yet done: what Redis counts as taken beyond these, it handed out to nobody.
        self._held: set[str] = set()
        # By Redis' clock: the last look that was answered, and since when no two were far apart.
        self._seen = self._steady = 0
        # Those of which the next round trip tells, and who makes one.
        self._ended: _Ended | None = None
        self._joining, self._telling = threading.Lock(), threading.Lock()
        # Set when there may be something to take.
        self.arrived = threading.Event()
        # Whether that may be because this worker held all that it may hold.
        self._full = False

    def add(self, messages: Sequence[New]) -> None:
        """Adds messages, in one round trip for every `AT_ONCE` of them."""
        keys = [self._msgs, self._list, self._waiting]
        for start in range(0, len(messages), AT_ONCE):
            self._add(keys=keys, args=_arguments(messages[start : start + AT_ONCE]))

    def take(self, prefetch: int) -> list[Stored]:
        """Takes messages until this worker holds `prefetch` of them."""
        self.arrived.clear()
        self._full = True  # said before it is seen: what ends meanwhile makes room, and says so
        room = prefetch - len(self._held)
        if room <= 0:
            return []
        self._full = False
        keys = [self._msgs, self._list, self._acks, self._beats]
        answer = iter(self._take(keys=keys, args=[self._worker, room]))
        taken = [Stored(id_.decode(), encoded) for id_, encoded in zip(answer, answer, strict=True)]
        self._held.update(each.id for each in taken)
        return taken

    def done(self, ids: Sequence[str]) -> None:
        """Forgets messages that have run; those of which other threads tell meanwhile go along, in one round trip."""
        with self._joining:
            first = self._ended is None
            ended = self._ended = self._ended or _Ended()
            ended.ids += ids
        if first:
            self._tell(ended)
        ended.told.result()

    def _tell(self, ended: "_Ended") -> None:
        try:
            with self._telling:
                with self._joining:
                    self._ended = None
                self._done(keys=[self._msgs, self._acks], args=ended.ids)
                self._let_go(ended.ids)
        except BaseException as error:
            ended.told.set_exception(error)
            raise
        ended.told.set_result(None)

    def again(self, messages: Sequence[New]) -> None:
        """Puts messages that have run back in one step, as they are now, each to run again after its delay."""
        self._again(keys=[self._msgs, self._acks, self._list, self._waiting], args=_arguments(messages))
        self._let_go([message.id for message in messages])

    def bury(self, messages: Sequence[Stored]) -> None:
        """Puts messages that will not run again among the dead."""
        arguments = [part for message in messages for part in message]
        self._bury(keys=[self._msgs, self._acks, self._dead, self._dead_msgs], args=arguments)
        self._let_go([message.id for message in messages])

    def give_back(self, ids: list[str]) -> None:
        """Returns taken messages that did not run to the head of the queue."""
        self._held.difference_update(ids)
        self._give_back(keys=[self._acks, self._list], args=ids)

    def _let_go(self, ids: Sequence[str]) -> None:
        self._held.difference_update(ids)
        if self._full:
            self.arrived.set()

    def reclaim(self) -> int:
        """Returns what Redis handed out to this worker and never arrived: the answer got lost, not the question.

        Only whoever takes may call it, since what is on its way to somebody else would count as lost.
        """
        return int(self._reclaim(keys=[self._acks, self._list], args=list(self._held)))

    def tick(self) -> Tick:
        """Gives a sign of life, takes over from the dead, and lets what is due run, at most `AT_ONCE` messages."""
        keys = [self._list, self._waiting, self._beats, self._dead, self._dead_msgs]
        arguments: list[str | int] = [self._worker, self._acks_of, self._name, self._seen, self._steady]
        arguments += [SILENCE, AT_ONCE, DEAD_FOR]
        self._seen, self._steady, *found = self._tick(keys=keys, args=arguments)
        tick = Tick(*found)
        if tick.runnable:
            self.arrived.set()
        return tick

    def waiting(self) -> int:
        """How many messages wait for their time."""
        return int(self._client.zcard(self._waiting))

    def clear(self) -> None:
        """Drops all messages, the dead ones too."""
        self._client.delete(self._list, self._msgs, self._waiting, self._acks, self._dead, self._dead_msgs)


def _arguments(messages: Sequence[New]) -> list[str | bytes | int]:
    arguments: list[str | bytes | int] = []
    for id_, encoded, delay in messages:
        arguments += (id_, encoded, "" if delay is None else max(0, int(delay)))
    return arguments
