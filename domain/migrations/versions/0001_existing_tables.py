"""The tables of the existing system, as it made them; a database that has them is taken as it is."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TINYINT = sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime, nullable=False, server_default=sa.func.current_timestamp())


def _text(name: str, width: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(width), nullable=False, server_default="")


def _fixed(name: str, width: int) -> sa.Column[str]:
    return sa.Column(name, sa.CHAR(width), nullable=False, server_default="")


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def _tiny(name: str) -> sa.Column[int]:
    return sa.Column(name, TINYINT, nullable=False, server_default="0")


def _life() -> list[sa.Column[object]]:
    columns: list[sa.Column[object]] = [
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        _moment("create_time"),
        _moment("update_time"),
        _moment("delete_time"),
    ]
    return [*columns, _tiny("del_state"), _big("version")]  # type: ignore[list-item] # columns of any type


def upgrade() -> None:
    """Makes what is missing."""
    existing = sa.inspect(op.get_bind()).get_table_names()
    if "homestay_order" not in existing:
        op.create_table(
            "homestay_order",
            *_life(),
            sa.Column("sn", sa.CHAR(25), nullable=False, unique=True),
            _big("user_id"),
            _big("homestay_id"),
            _text("title", 32),
            _text("sub_title", 128),
            _text("cover", 1024),
            _text("info", 4069),
            _tiny("people_num"),
            _tiny("row_type"),
            _tiny("need_food"),
            _text("food_info", 1024),
            _big("food_price"),
            _big("homestay_price"),
            _big("market_homestay_price"),
            _big("homestay_business_id"),
            _big("homestay_user_id"),
            sa.Column("live_start_date", sa.Date, nullable=False),
            sa.Column("live_end_date", sa.Date, nullable=False),
            _tiny("live_people_num"),
            _tiny("trade_state"),
            _fixed("trade_code", 8),
            _text("remark", 64),
            _big("order_total_price"),
            _big("food_total_price"),
            _big("homestay_total_price"),
            **TABLE,
        )
    if "third_payment" not in existing:
        op.create_table(
            "third_payment",
            *_life(),
            sa.Column("sn", sa.CHAR(25), nullable=False, unique=True),
            _big("user_id"),
            _text("pay_mode", 20),
            _text("trade_type", 20),
            _text("trade_state", 20),
            _big("pay_total"),
            _fixed("transaction_id", 32),
            _text("trade_state_desc", 256),
            _fixed("order_sn", 25),
            _text("service_type", 32),
            _tiny("pay_status"),
            sa.Column("pay_time", sa.DateTime, nullable=True),
            **TABLE,
        )
    if "homestay" not in existing:
        op.create_table(
            "homestay",
            *_life(),
            _text("title", 32),
            _text("sub_title", 128),
            _text("banner", 4096),
            _text("info", 4069),
            _tiny("people_num"),
            _big("homestay_business_id"),
            _big("user_id"),
            _tiny("row_state"),
            _tiny("row_type"),
            _text("food_info", 2048),
            _big("food_price"),
            _big("homestay_price"),
            _big("market_homestay_price"),
            **TABLE,
        )
