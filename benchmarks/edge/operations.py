"""What is asked of every contender, and how good ours is meant to be at it."""

from dataclasses import dataclass
from typing import Final

# 24 scalars of one order, and its payment, which another service knows.
DETAIL: Final = """\
query Detail($sn: ID!) {
  userHomestayOrderDetail(sn: $sn) {
    id sn homestayId title subTitle cover info foodInfo saleUnit peopleNum livePeopleNum liveStartDate liveEndDate
    nights needFood tradeState closeReason tradeCode remark createTime payBefore
    orderTotalPrice { amountMinor currency amount }
    payment { sn payMode payTotal { amount } payTime status }
  }
}
"""
# 11 scalars and the title as the order keeps it.
_LISTED: Final = (
    "sn homestayId title cover tradeState liveStartDate liveEndDate nights livePeopleNum createTime payBefore\n"
    "      orderTotalPrice { amount }"
)
LIST: Final = f"""\
query List {{
  userHomestayOrderList(first: 20) {{
    nodes {{
      {_LISTED}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
LIVE: Final = f"""\
query Live {{
  userHomestayOrderList(first: 20) {{
    nodes {{
      {_LISTED}
      homestay {{ title }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
OLDER: Final = LIST.replace("query List {", "query Older($after: String) {").replace("20)", "20, after: $after)")
CREATE: Final = """\
mutation Create($input: CreateHomestayOrderInput!) {
  createHomestayOrder(input: $input) {
    order { sn title tradeState nights liveStartDate payBefore orderTotalPrice { amount currency } }
    userErrors { code message field }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to measure.

    Attributes:
        name: as the command line and the script of wrk know it.
        title: for people.
        writes: whether it leaves orders behind.
        why: why ours may lose here, for the page that has to say so.
    """

    name: str
    title: str
    writes: bool
    why: str


_PYTHON: Final = (
    "V8 compiles what a request runs to machine code, and our resolving, decoding and serialising is Python between "
    "C libraries"
)
OPERATIONS: Final = (
    Operation("detail", "one order with its payment (gRPC): 24 scalars", writes=False, why=_PYTHON),
    Operation("list", "the 20 newest orders, 11 scalars and the title each", writes=False, why=_PYTHON),
    Operation(
        "live",
        "the same list with each order's homestay as it is now",
        writes=False,
        why="where homestays are not kept between requests, 20 calls to the travel service are most of the cost, and "
        "a call costs Python more than Node",
    ),
    Operation(
        "create",
        "an order placed",
        writes=True,
        why="ours looks for the key's earlier order, counts the guest's attempts in Redis and their unpaid orders, "
        "takes the nights, writes history and key in the same transaction, which orders of one moment share, and sends "
        "the timer's message; the others insert one row",
    ),
    Operation(
        "mix",
        "40 % detail, 40 % list, 20 % create",
        writes=True,
        why="the creates in it do more than theirs",
    ),
)
BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times as fast as another contender ours is meant to be; of `p99`, how many times as late at most."""

    operation: str
    against: str
    must: float
    aim: float
    of_p99: bool = False

    def is_met(self, ratio: float) -> bool:
        """Whether the ratio is at least the one that must be."""
        return ratio <= self.must if self.of_p99 else ratio >= self.must


GOALS: Final = (
    Goal("detail", "mercurius", 1.0, 1.25),
    Goal("list", "mercurius", 1.0, 1.2),
    Goal("live", "mercurius", 2, 4),
    Goal("create", "mercurius", 0.6, 0.9),
    *(Goal(read, peer, 2, 3) for peer in ("yoga", "ariadne") for read in ("detail", "list")),
    *(Goal(read, "ceiling", 0.75, 0.9) for read in ("detail", "list")),
    *(Goal(read, "mercurius", 1.0, 0.75, of_p99=True) for read in ("detail", "list")),
)
