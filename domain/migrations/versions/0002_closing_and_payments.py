"""What closing, lists, refunds and one payment an order need: added columns, indexes and tables, nothing changed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TINYINT = sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}


def upgrade() -> None:
    """Adds them."""
    op.add_column("homestay_order", sa.Column("close_at", INSTANT, nullable=True))
    op.add_column("homestay_order", sa.Column("close_reason", TINYINT, nullable=True))
    op.create_index("ix_homestay_order_user", "homestay_order", ["user_id", "id"])
    op.create_index("ix_homestay_order_user_state", "homestay_order", ["user_id", "trade_state", "id"])
    op.create_index("ix_homestay_order_due", "homestay_order", ["trade_state", "close_at"])
    op.create_table(
        "homestay_order_event",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("order_sn", sa.CHAR(25), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("from_state", TINYINT, nullable=True),
        sa.Column("to_state", TINYINT, nullable=False),
        sa.Column("reason", TINYINT, nullable=True),
        **TABLE,
    )
    op.create_index("ix_homestay_order_event_sn", "homestay_order_event", ["order_sn", "id"])
    op.create_table(
        "homestay_order_refund",
        sa.Column("order_sn", sa.CHAR(25), primary_key=True),
        sa.Column("payment_sn", sa.CHAR(25), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("refunded_at", INSTANT, nullable=True),
        **TABLE,
    )
    op.create_index("ix_homestay_order_refund_due", "homestay_order_refund", ["refunded_at", "requested_at"])
    op.add_column("third_payment", sa.Column("expire_time", sa.DateTime, nullable=True))
    op.add_column("third_payment", sa.Column("live_order_sn", sa.CHAR(25), nullable=True))
    op.create_index("ix_third_payment_order", "third_payment", ["order_sn"])
    op.create_index("ux_third_payment_live_order", "third_payment", ["live_order_sn"], unique=True)
