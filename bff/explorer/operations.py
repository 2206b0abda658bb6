"""The examples of the GraphiQL page: a guest's way through an order, ready to run.

They stand in the form the page's own "prettify" gives them, for it takes a tab that differs for one somebody edited
and leaves the nights in it as they are.
"""

from datetime import date, timedelta
from typing import Final

from bff.explorer import Tab

__all__ = ["tabs"]

_PLACE: Final = """\
# Places an order.
# Unpaid, it closes by itself at `payBefore`.
mutation PlaceOrder($input: CreateHomestayOrderInput!) {
  createHomestayOrder(input: $input) {
    order {
      sn
      title
      liveStartDate
      liveEndDate
      nights
      orderTotalPrice {
        amount
        currency
      }
      tradeState
      payBefore
    }
    userErrors {
      code
      message
      field
    }
  }
}
"""

_LIST: Final = """\
# Your orders, newest first.
# `endCursor`, handed in as `after`, leads on.
query MyOrders($first: Int, $after: String) {
  userHomestayOrderList(first: $first, after: $after) {
    nodes {
      sn
      title
      liveStartDate
      liveEndDate
      tradeState
      orderTotalPrice {
        amount
        currency
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
"""

_DETAIL: Final = """\
# One of your orders in detail.
# Put its `sn` into the variables.
query OneOrder($sn: ID!) {
  userHomestayOrderDetail(sn: $sn) {
    sn
    title
    subTitle
    liveStartDate
    liveEndDate
    nights
    livePeopleNum
    needFood
    homestayTotalPrice {
      amount
      currency
    }
    foodTotalPrice {
      amount
      currency
    }
    orderTotalPrice {
      amount
      currency
    }
    tradeState
    closeReason
    tradeCode
    remark
    createTime
    payBefore
  }
}
"""

_PAY: Final = """\
# Opens the payment of an unpaid order.
# Put the order's `sn` into the variables.
mutation PayOrder($sn: ID!) {
  payHomestayOrder(sn: $sn) {
    payment {
      sn
      status
      payTotal {
        amount
        currency
      }
    }
    order {
      sn
      tradeState
    }
    userErrors {
      code
      message
    }
  }
}
"""

_CANCEL: Final = """\
# Gives up an unpaid order and frees its nights.
# Put the order's `sn` into the variables.
mutation CancelOrder($sn: ID!) {
  cancelHomestayOrder(sn: $sn) {
    order {
      sn
      tradeState
      closeReason
    }
    userErrors {
      code
      message
    }
  }
}
"""

_QUOTE: Final = """\
# What a stay costs, without ordering it.
query Quote(
  $homestayId: ID!
  $from: Date!
  $to: Date!
  $people: Int!
  $food: Boolean!
) {
  homestayQuote(
    homestayId: $homestayId
    liveStartDate: $from
    liveEndDate: $to
    livePeopleNum: $people
    needFood: $food
  ) {
    nights
    homestayTotalPrice {
      amount
      currency
    }
    foodTotalPrice {
      amount
      currency
    }
    orderTotalPrice {
      amount
      currency
    }
  }
}
"""

_AHEAD: Final = timedelta(days=30)
_STAY: Final = timedelta(days=2)
_SN: Final = "the sn of your order"


def tabs(today: date) -> tuple[Tab, ...]:
    """Write the examples for a stay that lies ahead.

    Args:
        today: Day of the visit.

    Returns:
        Examples in the order in which a first visitor would try them.
    """
    start = today + _AHEAD
    end = start + _STAY
    stay: dict[str, object] = {
        "homestayId": "1",
        "liveStartDate": start.isoformat(),
        "liveEndDate": end.isoformat(),
        "livePeopleNum": 2,
        "needFood": True,
        "remark": "Arriving late",
    }
    quote: dict[str, object] = {
        "homestayId": "1",
        "from": start.isoformat(),
        "to": end.isoformat(),
        "people": 2,
        "food": True,
    }
    return (
        Tab("Place an order", _PLACE, {"input": stay}),
        Tab("List my orders", _LIST, {"first": 10}),
        Tab("One order in detail", _DETAIL, {"sn": _SN}),
        Tab("Pay an order", _PAY, {"sn": _SN}),
        Tab("Cancel an order", _CANCEL, {"sn": _SN}),
        Tab("Ask the price", _QUOTE, quote),
    )
