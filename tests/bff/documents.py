"""The operations that these tests send."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

MONEY: Final = "{ amountMinor currency amount }"

PRICES: Final = f"nights homestayTotalPrice {MONEY} foodTotalPrice {MONEY} orderTotalPrice {MONEY}"

REFUSAL: Final = f"""
  userErrors {{
    __typename code field message
    ... on DatesUnavailableError {{ nights }}
    ... on InvalidTransitionError {{ from to }}
    ... on PriceChangedError {{ quote {{ {PRICES} }} }}
    ... on RateLimitedError {{ retryAfter }}
  }}
"""

HOMESTAY: Final = f"""
  id homestayId title subTitle cover banner info peopleNum saleUnit onShelf foodInfo
  homestayPrice {MONEY} marketHomestayPrice {MONEY} foodPrice {MONEY}
"""

STEPS: Final = "history { at from to reason }"

PAYMENT: Final = f"payment {{ sn payMode payTotal {MONEY} payTime status }}"

# What an order itself holds; no other service is asked for it.
ORDER: Final = f"""
  id sn homestayId title subTitle cover info foodInfo saleUnit peopleNum livePeopleNum liveStartDate liveEndDate nights
  needFood homestayPrice {MONEY} marketHomestayPrice {MONEY} foodPrice {MONEY} homestayTotalPrice {MONEY}
  foodTotalPrice {MONEY} orderTotalPrice {MONEY} tradeState closeReason tradeCode remark createTime payBefore
"""

PLACE: Final = f"""
  mutation ($input: CreateHomestayOrderInput!) {{
    createHomestayOrder(input: $input) {{ order {{ {ORDER} }} replayed {REFUSAL} }}
  }}
"""

CANCEL: Final = f"""
  mutation ($sn: ID!, $key: String) {{
    cancelHomestayOrder(sn: $sn, idempotencyKey: $key) {{ order {{ {ORDER} }} {REFUSAL} }}
  }}
"""

PAY: Final = f"""
  mutation ($sn: ID!, $key: String) {{
    payHomestayOrder(sn: $sn, idempotencyKey: $key) {{
      payment {{ sn payMode payTotal {MONEY} payTime status }} order {{ {ORDER} }} {REFUSAL}
    }}
  }}
"""

DETAIL: Final = f"query ($sn: ID!) {{ userHomestayOrderDetail(sn: $sn) {{ {ORDER} }} }}"

# With everything that others are asked for.
FULL_DETAIL: Final = f"""
  query ($sn: ID!) {{
    userHomestayOrderDetail(sn: $sn) {{ {ORDER} homestay {{ {HOMESTAY} }} {PAYMENT} {STEPS} }}
  }}
"""

LIST: Final = """
  query ($first: Int, $after: String, $last: Int, $before: String, $filter: HomestayOrderFilter) {
    userHomestayOrderList(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      edges { cursor node { sn } }
      nodes { sn }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      totalCount
    }
  }
"""

QUOTE: Final = f"""
  query ($homestayId: ID!, $from: Date!, $to: Date!, $people: Int!, $food: Boolean! = false) {{
    homestayQuote(
      homestayId: $homestayId, liveStartDate: $from, liveEndDate: $to, livePeopleNum: $people, needFood: $food
    ) {{ {PRICES} }}
  }}
"""

CALENDAR: Final = """
  query ($homestayId: ID!, $from: Date!, $to: Date!) {
    homestayCalendar(homestayId: $homestayId, from: $from, to: $to) { night placesLeft }
  }
"""

HOMESTAY_BY_ID: Final = f"query ($id: ID!) {{ homestay(id: $id) {{ {HOMESTAY} }} }}"

NODE: Final = """
  query ($id: ID!) {
    node(id: $id) { __typename id ... on HomestayOrder { sn } ... on Homestay { homestayId title } }
  }
"""

NODES: Final = """
  query ($ids: [ID!]!) {
    nodes(ids: $ids) { __typename id ... on HomestayOrder { sn } ... on Homestay { homestayId title } }
  }
"""


def stay(**wanted: object) -> dict[str, Any]:
    """The input of an order: two nights for two in homestay 1, unless the test says otherwise."""
    return {
        "homestayId": "1",
        "liveStartDate": "2026-06-01",
        "liveEndDate": "2026-06-03",
        "livePeopleNum": 2,
        **wanted,
    }


def stays(count: int) -> list[dict[str, Any]]:
    """As many inputs as wanted of which none has a night in common with another."""
    days = [(date(2026, 6, 1) + timedelta(days=2 * number)).isoformat() for number in range(count + 1)]
    return [stay(liveStartDate=start, liveEndDate=end) for start, end in pairwise(days)]
