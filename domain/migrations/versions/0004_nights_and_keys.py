"""Nights that orders hold, clients' idempotency keys, and the rows at which a guest's orders take turns."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

TINYINT = sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
SHA256 = sa.CHAR(64)  # in hex
TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}


def upgrade() -> None:
    """Adds them. The nights of orders that exist are taken by `homestay migrate` afterwards."""
    op.create_table(
        "homestay_night",
        sa.Column("homestay_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("night", sa.Date, primary_key=True),
        sa.Column("place", TINYINT, primary_key=True, autoincrement=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("order_sn", sa.CHAR(25), nullable=False),
        **TABLE,
    )
    op.create_index("ix_homestay_night_order", "homestay_night", ["order_sn"])
    op.create_table(
        "homestay_idempotency_key",
        sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key_hash", SHA256, primary_key=True),
        sa.Column("request_hash", SHA256, nullable=False),
        sa.Column("order_sn", sa.CHAR(25), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        **TABLE,
    )
    op.create_index("ix_homestay_idempotency_key_made", "homestay_idempotency_key", ["created_at"])
    op.create_table(
        "homestay_guest",
        sa.Column("user_id", sa.BigInteger, primary_key=True, autoincrement=False),
        **TABLE,
    )
