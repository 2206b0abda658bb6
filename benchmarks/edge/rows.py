"""Rows to measure on: homestays, orders that are snapshots of them, and the payments of the paid ones.

MariaDB makes them of a sequence of numbers by itself; a client that sent them would take many times as long. It sorts
an index once in less time than it keeps one up with each order: so a table gets its indexes when it has its rows.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Index

from domain.columns import table_of
from domain.order.models import HomestayOrder
from tests.servers import MariaDB

HOMESTAYS: Final = 2000
# Orders of one statement, and statements at once.
AT_ONCE: Final = 20_000
CONNECTIONS: Final = 2
# Seconds in which the indexes of the largest table are there.
INDEXED_WITHIN: Final = 1200.0
# Seconds in which a statement ends that adds rows.
PATIENCE: Final = 120.0
# Seconds without a new order after which none is under way any more.
SETTLED: Final = 1.0
# A guest with more orders than any person has, for pages far down.
HEAVY_GUEST: Final = 900_000_000

_HOMESTAYS: Final = """
INSERT INTO {database}.homestay
  (title, sub_title, banner, info, people_num, homestay_business_id, user_id, row_state, row_type, food_info,
   food_price, homestay_price, market_homestay_price)
SELECT concat('Courtyard House ', seq, ' in the Lane'),
  'A grey-brick hutong courtyard with two bedrooms, an old jujube tree and breakfast under it',
  concat('https://example.com/homestays/', seq, '/courtyard.jpg,https://example.com/homestays/', seq, '/bedroom.jpg'),
  'The house stands in a quiet lane ten minutes on foot from the Drum Tower. Two bedrooms open onto the courtyard; there is underfloor heating in winter and shade in summer. Your hosts live next door and lend bicycles.',
  4, seq DIV 2 + 1, seq DIV 2 + 101, 1, 0, 'Breakfast with millet porridge and sesame flatbread; supper at seven.',
  3000 + seq % 50 * 100, 29900 + seq % 100 * 100, 39900 + seq % 100 * 100
FROM {database}.{sequence}
"""  # noqa: E501 -- a homestay's own words
# Orders are of all guests in turn, so that those of one lie far apart, as they do where many order at once. State by
# state as in a business that runs: most stays are over. Guests' newest orders are of homestays of their own each.
_ORDERS: Final = """
INSERT INTO {database}.homestay_order
  (id, create_time, update_time, sn, user_id, homestay_id, title, sub_title, cover, info, people_num, row_type,
   need_food, food_info, food_price, homestay_price, market_homestay_price, homestay_business_id, homestay_user_id,
   live_start_date, live_end_date, live_people_num, trade_state, trade_code, remark,
   homestay_total_price, food_total_price, order_total_price, close_at, close_reason, payment_sn)
SELECT seq + {offset}, made, made, concat('HSO', date_format(made + INTERVAL 8 HOUR, '%Y%m%d%H%i%S'), code), {guest},
  h.id, h.title, h.sub_title, substring_index(h.banner, ',', 1), h.info, h.people_num, h.row_type, food,
  h.food_info, h.food_price, h.homestay_price, h.market_homestay_price, h.homestay_business_id, h.user_id,
  date(made) + INTERVAL 30 DAY, date(made) + INTERVAL 30 + nights DAY, 2, state, code,
  if(crc32(seq) % 7, '', 'We come late in the evening.'),
  h.homestay_price * nights, h.food_price * nights * 2 * food,
  h.homestay_price * nights + h.food_price * nights * 2 * food,
  made + INTERVAL 1200 SECOND, if(state = -1, 2, NULL),
  if(state > 0, concat('PMO', date_format(made + INTERVAL 8 HOUR, '%Y%m%d%H%i%S'), code), '')
FROM (
  SELECT seq, timestamp '2025-01-01 00:00:00' + INTERVAL seq * 3 SECOND AS made, upper(left(md5(seq), 8)) AS code,
    1 + crc32(seq) % 5 AS nights, crc32(seq) DIV 5 % 2 AS food,
    1 + (seq * 31 + seq DIV {guests}) % {homestays} AS homestay,
    elt(1 + crc32(seq) DIV 10 % 20, -1, -1, -1, 1, 1, 3, 4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, {open}) + 0 AS state
  FROM {database}.{sequence}
) AS made
JOIN {database}.homestay h ON h.id = made.homestay
"""
_PAYMENTS: Final = """
INSERT IGNORE INTO {to}.third_payment
  (sn, create_time, update_time, user_id, pay_mode, trade_type, trade_state, pay_total, transaction_id, order_sn,
   service_type, pay_status, pay_time, live_order_sn)
SELECT payment_sn, create_time, create_time, user_id, 'WECHAT_PAY', 'JSAPI',
  if(trade_state = 3, 'REFUND', 'SUCCESS'), order_total_price, concat('T', sn), sn, 'homestayOrder',
  if(trade_state = 3, 2, 1), create_time + INTERVAL 90 SECOND, sn
FROM {database}.homestay_order
WHERE {which} AND trade_state > 0
"""


@dataclass
class Rows:
    """What one database holds; it grows, and nothing in it is changed."""

    mariadb: MariaDB
    database: str = "homestay"
    orders: int = 0

    def homestays(self) -> None:
        """Puts the homestays there."""
        self.mariadb.query(_HOMESTAYS.format(database=self.database, sequence=f"seq_1_to_{HOMESTAYS}"))

    def grow(self, to: int, *, guests: int, payments: bool = True) -> None:
        """Adds orders until there are so many, of so many guests, showing how far it is."""
        # The newest order of some guests is still open.
        state = f"if(seq > {to - guests}, 0, 2)"
        with self._indexed_in_the_end(to):
            self._add(to, f"1 + seq % {guests}", guests, state, payments=payments)

    def grow_heavy(self, orders: int) -> None:
        """Adds so many orders of the one guest who has very many."""
        self._add(self.orders + orders, str(HEAVY_GUEST), 1, "2", payments=False)

    def _add(self, to: int, guest: str, guests: int, state: str, *, payments: bool) -> None:
        # Each has its id beforehand: statements that asked the table for the next one would wait for each other.
        offset = self.highest() - self.orders
        pieces = [(first + 1, min(first + AT_ONCE, to)) for first in range(self.orders, to, AT_ONCE)]

        def place(piece: tuple[int, int]) -> None:
            first, last = piece
            self.mariadb.query(
                _ORDERS.format(
                    database=self.database,
                    sequence=f"seq_{first}_to_{last}",
                    offset=offset,
                    guest=guest,
                    guests=guests,
                    homestays=HOMESTAYS,
                    open=state,
                ),
                timeout=PATIENCE,
            )

        with ThreadPoolExecutor(CONNECTIONS) as connections:
            for (_, last), _ in zip(pieces, connections.map(place, pieces), strict=True):
                self._say(f"{last:>9} of {to} orders placed")
        for first, last in pieces if payments else ():
            which = f"id BETWEEN {first + offset} AND {last + offset}"
            self.mariadb.query(self.payments_of(which), timeout=PATIENCE)
            self._say(f"{last:>9} of {to} orders paid for")
        self._say("\n")
        self.orders = max(to, self.orders)

    @contextmanager
    def _indexed_in_the_end(self, orders: int) -> Iterator[None]:
        """Lets a table that is empty have its indexes when it has its rows."""
        if self.orders or not orders:
            yield
            return
        table = table_of(HomestayOrder)
        # In the order in which they are declared, for of two that are alike the database takes the first.
        indexes = [each for each in HomestayOrder.__table_args__ if isinstance(each, Index)]
        columns = {index.name: ", ".join(index.columns.keys()) for index in indexes}
        alter = f"ALTER TABLE {self.database}.{table.name} "
        self.mariadb.query(alter + ", ".join(f"DROP INDEX {name}" for name in columns))
        yield
        self._say("          making the indexes")
        added = ", ".join(f"ADD INDEX {name} ({of})" for name, of in columns.items())
        self.mariadb.query(alter + added, timeout=INDEXED_WITHIN)
        self._say("\n")

    def _say(self, what: str) -> None:
        print(what if what == "\n" else f"\r{what:<40}", end="", file=sys.stderr, flush=True)  # noqa: T201

    def payments_of(self, which: str, to: str = "") -> str:
        """The statement that adds the payments of some orders to this database, or to another one."""
        return _PAYMENTS.format(to=to or self.database, database=self.database, which=which)

    def pay_for(self, rows: "Rows", guests: int) -> None:
        """Adds the payments of the first guests' orders that another database holds; of one number, one."""
        self.mariadb.query(rows.payments_of(f"user_id <= {guests}", to=self.database), timeout=PATIENCE)

    def highest(self) -> int:
        """The id of the newest order."""
        ((highest,),) = self.mariadb.query(f"SELECT coalesce(max(id), 0) FROM {self.database}.homestay_order")  # noqa: S608
        return int(str(highest))

    def settle(self) -> None:
        """Waits for the orders that were under way when their client went."""
        before = -1
        while (now := self.highest()) != before:
            before = now
            time.sleep(SETTLED)

    def count_after(self, highest: int) -> int:
        """How many orders came after the one with this id."""
        ((count,),) = self.mariadb.query(f"SELECT count(*) FROM {self.database}.homestay_order WHERE id > {highest}")  # noqa: S608
        return int(str(count))

    def paid(self, count: int, guests: int) -> list[tuple[int, str]]:
        """So many of the first guests' orders that were paid, each with its guest, from everywhere in the table."""
        found = self.mariadb.query(
            f"SELECT user_id, sn FROM {self.database}.homestay_order WHERE trade_state IN (1, 2) AND user_id "  # noqa: S608
            f"BETWEEN 1 AND {guests} ORDER BY md5(id) LIMIT {count}"
        )
        return [(int(str(user)), str(sn)) for user, sn in found]

    def cursor_after_heavy(self, orders: int) -> int:
        """The id of the last of so many newest orders of the guest who has very many."""
        ((found,),) = self.mariadb.query(
            f"SELECT id FROM {self.database}.homestay_order WHERE user_id = {HEAVY_GUEST} ORDER BY id DESC "  # noqa: S608
            f"LIMIT 1 OFFSET {orders - 1}"
        )
        return int(str(found))

    def analyze(self) -> None:
        """Has the database look at what it holds, as it does by itself now and then."""
        self.mariadb.query(
            f"ANALYZE TABLE {self.database}.homestay_order, {self.database}.third_payment", timeout=PATIENCE
        )
