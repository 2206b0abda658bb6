import pytest

from domain.database import Database
from domain.outbox import Outbox
from tests.clock import FrozenClock


@pytest.fixture
def outbox(database: Database, clock: FrozenClock) -> Outbox:
    return Outbox(database, clock)
