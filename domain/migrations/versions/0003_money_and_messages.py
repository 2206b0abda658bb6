"""The outbox, leases of jobs, settlements, refunds by payment, and what an order knows of payment and arrival."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TINYINT = sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}
OLD_REFUNDS = "homestay_order_refund_by_order"


def upgrade() -> None:
    """Adds them."""
    op.add_column("homestay_order", sa.Column("payment_sn", sa.CHAR(25), nullable=False, server_default=""))
    op.add_column("homestay_order", sa.Column("checked_in_at", INSTANT, nullable=True))
    op.create_index("ix_homestay_order_leaving", "homestay_order", ["trade_state", "live_end_date"])
    op.create_index("ix_third_payment_changed", "third_payment", ["update_time", "id"])
    op.create_table(
        "homestay_outbox",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", TINYINT, nullable=False, server_default="0"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.String(255), nullable=False, server_default=""),
        **TABLE,
    )
    op.create_index("ix_homestay_outbox_due", "homestay_outbox", ["state", "due_at"])
    op.create_table(
        "homestay_job",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("holder", sa.String(64), nullable=False, server_default=""),
        sa.Column("note", sa.String(255), nullable=False, server_default=""),
        **TABLE,
    )
    op.create_table(
        "homestay_settlement",
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("business_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("nights", sa.BigInteger, nullable=False),
        sa.Column("homestay_total", sa.BigInteger, nullable=False),
        sa.Column("food_total", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=False),
        **TABLE,
    )
    _key_refunds_by_payment()


def _key_refunds_by_payment() -> None:
    """One refund an order becomes one refund a payment; the rows that exist are taken along."""
    op.rename_table("homestay_order_refund", OLD_REFUNDS)
    if op.get_bind().dialect.name == "sqlite":
        # There an index has a name of its own in the whole database, and keeps it when its table is renamed.
        op.drop_index("ix_homestay_order_refund_due")
    op.create_table(
        "homestay_order_refund",
        sa.Column("payment_sn", sa.CHAR(25), primary_key=True),
        sa.Column("order_sn", sa.CHAR(25), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("refunded_at", INSTANT, nullable=True),
        **TABLE,
    )
    op.create_index("ix_homestay_order_refund_sn", "homestay_order_refund", ["order_sn"])
    op.create_index("ix_homestay_order_refund_due", "homestay_order_refund", ["refunded_at", "requested_at"])
    names = ["payment_sn", "order_sn", "total", "requested_at", "refunded_at"]
    old = sa.table(OLD_REFUNDS, *map(sa.column, names))
    new = sa.table("homestay_order_refund", *map(sa.column, names))
    op.execute(sa.insert(new).from_select(names, sa.select(*(old.c[name] for name in names))))
    _request_again(old)
    op.drop_table(OLD_REFUNDS)


def _request_again(old: sa.TableClause) -> None:
    """Refunds that are due get the letter by which they are made from now on."""
    due = op.get_bind().execute(
        sa.select(old.c.payment_sn, old.c.order_sn, old.c.requested_at).where(old.c.refunded_at.is_(None))
    )
    letters = sa.table(
        "homestay_outbox",
        *(sa.column(name) for name in ("topic", "subject", "created_at", "due_at")),
        sa.column("payload", sa.JSON),
    )
    for payment_sn, order_sn, requested_at in due.all():
        payload = {"orderSn": order_sn, "paymentSn": payment_sn}
        op.execute(
            sa.insert(letters).values(
                topic="order.refund",
                subject=payment_sn,
                payload=payload,
                created_at=requested_at,
                due_at=requested_at,
            )
        )
