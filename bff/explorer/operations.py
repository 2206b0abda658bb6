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
# Run again, it is refused, for its nights are taken then:
# put others into the variables, or give the order up.
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
      ... on DatesUnavailableError {
        nights
      }
    }
  }
}
"""

_PLACE_SAFELY: Final = """\
# Places an order once, however often it is sent.
# Run again, it gives the same order, as it is then,
# for 24 hours: another order wants another `idempotencyKey`.
# `expectedTotalMinor` is the price that you saw, in fen;
# try another one.
mutation PlaceSafely($input: CreateHomestayOrderInput!) {
  createHomestayOrder(input: $input) {
    order {
      sn
      title
      liveStartDate
      liveEndDate
      orderTotalPrice {
        amount
        currency
      }
      tradeState
    }
    replayed
    userErrors {
      code
      message
      field
      ... on PriceChangedError {
        quote {
          orderTotalPrice {
            amountMinor
            amount
          }
        }
      }
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

_FOLLOW: Final = """\
# Follows an order: how it stands now, then each change.
# Put the order's `sn` into the variables, run this,
# and cancel or pay the order in another tab.
subscription FollowOrder($sn: ID!) {
  homestayOrderChanged(sn: $sn) {
    sn
    tradeState
    closeReason
    payBefore
    history {
      at
      from
      to
      reason
    }
  }
}
"""

_QUOTE: Final = """\
# What a stay costs and whether it is free,
# without ordering it.
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
    available
  }
}
"""

_FREE: Final = """\
# The places that are left, night by night.
# `to` is excluded; at most 92 nights.
query FreeNights($homestayId: ID!, $from: Date!, $to: Date!) {
  homestayCalendar(homestayId: $homestayId, from: $from, to: $to) {
    night
    placesLeft
  }
}
"""

# Other nights than those of the greeting's first order, which a visitor may have placed before.
_AHEAD: Final = timedelta(days=60)
_STAY: Final = timedelta(days=2)
_CALENDAR: Final = timedelta(days=7)
# Two nights for two in homestay 2 of the demo catalogue, in fen.
_BUNKS: Final = 35_200
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
    # Sold by the bed, so that it is still to be had where the example before took its nights. The key is that of this
    # stay: tomorrow's example is another stay.
    safe_stay: dict[str, object] = {
        "homestayId": "2",
        "liveStartDate": start.isoformat(),
        "liveEndDate": end.isoformat(),
        "livePeopleNum": 2,
        "expectedTotalMinor": _BUNKS,
        "idempotencyKey": f"bunks-for-two-{start.isoformat()}",
    }
    calendar: dict[str, object] = {
        "homestayId": "1",
        "from": start.isoformat(),
        "to": (start + _CALENDAR).isoformat(),
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
        Tab("Place it safely", _PLACE_SAFELY, {"input": safe_stay}),
        Tab("List my orders", _LIST, {"first": 10}),
        Tab("One order in detail", _DETAIL, {"sn": _SN}),
        Tab("Pay an order", _PAY, {"sn": _SN}),
        Tab("Follow an order", _FOLLOW, {"sn": _SN}),
        Tab("Cancel an order", _CANCEL, {"sn": _SN}),
        Tab("Ask the price", _QUOTE, quote),
        Tab("See free nights", _FREE, calendar),
    )
