"""Tables of settlement; vouchers and their entries are append-only."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table, protect_append_only
from dbadapters import types

revision = "0017_settlement"
down_revision = "0016_promotions"


def upgrade() -> None:
    """Tables of settlement."""
    create_table(
        "settlement_account",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", types.Str(length=40), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("guarded", sa.Integer(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("guarded = 0 OR side * balance_fen >= 0", name="ck_settlement_account__guard"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_account"),
        sa.UniqueConstraint("kind", "owner_id", "subject", name="uq_settlement_account__kind_owner_id_subject"),
    )
    create_table(
        "settlement_bank",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("bank_name", types.Str(length=60), nullable=False),
        sa.Column("holder", types.Str(length=80), nullable=False),
        sa.Column("number_enc", types.Str(length=300), nullable=False),
        sa.Column("number_mask", types.Str(length=40), nullable=False),
        sa.Column("auto_payout", sa.Integer(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_bank"),
        sa.UniqueConstraint("merchant_id", name="uq_settlement_bank__merchant_id"),
    )
    create_table(
        "settlement_batch",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_no", types.Str(length=32), nullable=False),
        sa.Column("payouts", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("made_by", types.Str(length=60), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_batch"),
        sa.UniqueConstraint("batch_no", name="uq_settlement_batch__batch_no"),
    )
    create_table(
        "settlement_bill",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("digest", types.Str(length=64), nullable=False),
        sa.Column("imported_at", types.UtcDateTime(), nullable=False),
        sa.Column("imported_by", types.Str(length=60), nullable=False),
        sa.Column("compared_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_bill"),
        sa.UniqueConstraint("channel", "day_on", name="uq_settlement_bill__channel_day_on"),
    )
    create_table(
        "settlement_bill_row",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("flow", types.Str(length=8), nullable=False),
        sa.Column("ref_no", types.Str(length=64), nullable=False),
        sa.Column("our_no", types.Str(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_bill_row"),
        sa.UniqueConstraint("bill_id", "row_no", name="uq_settlement_bill_row__bill_id_row_no"),
    )
    create_table(
        "settlement_case",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("flow", types.Str(length=8), nullable=False),
        sa.Column("ref_no", types.Str(length=64), nullable=False),
        sa.Column("our_no", types.Str(length=40), nullable=False),
        sa.Column("bill_fen", sa.BigInteger(), nullable=False),
        sa.Column("our_fen", sa.BigInteger(), nullable=False),
        sa.Column("diff_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_name", types.Str(length=60), nullable=False),
        sa.Column("resolution", types.Str(length=20), nullable=False),
        sa.Column("note", types.Str(length=200), nullable=False),
        sa.Column("voucher_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", types.UtcDateTime(), nullable=False),
        sa.Column("resolved_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_case"),
        sa.UniqueConstraint("channel", "flow", "ref_no", "kind", name="uq_settlement_case__channel_flow_ref_no_kind"),
    )
    create_table(
        "settlement_entry",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("voucher_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name="ck_settlement_entry__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_entry"),
    )
    create_table(
        "settlement_funding",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("split_id", sa.BigInteger(), nullable=False),
        sa.Column("programme", types.Str(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="ck_settlement_funding__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_funding"),
        sa.UniqueConstraint("split_id", "programme", name="uq_settlement_funding__split_id_programme"),
    )
    create_table(
        "settlement_line",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("funded_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("promoter_fen", sa.BigInteger(), nullable=False),
        sa.Column("logistics_fen", sa.BigInteger(), nullable=False),
        sa.Column("merchant_fen", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.CheckConstraint("fee_fen >= 0 AND promoter_fen >= 0 AND logistics_fen >= 0 AND merchant_fen >= 0", name="ck_settlement_line__parts"),
        sa.CheckConstraint("fee_fen + promoter_fen + logistics_fen + merchant_fen = paid_fen + funded_fen", name="ck_settlement_line__sum"),
        sa.CheckConstraint("quantity > 0 AND refunded >= 0 AND refunded <= quantity", name="ck_settlement_line__units"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_line"),
        sa.UniqueConstraint("order_id", "line_id", name="uq_settlement_line__order_id_line_id"),
    )
    create_table(
        "settlement_order",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("order_no", types.Str(length=32), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("hold", types.Str(length=40), nullable=False),
        sa.Column("net_fen", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("paid_at", types.UtcDateTime(), nullable=False),
        sa.Column("release_due_at", types.UtcDateTime(), nullable=True),
        sa.Column("released_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("net_fen >= 0", name="ck_settlement_order__net"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_order"),
        sa.UniqueConstraint("order_id", name="uq_settlement_order__order_id"),
    )
    create_table(
        "settlement_payout",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payout_no", types.Str(length=32), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("request_key", types.Str(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("origin", types.Str(length=16), nullable=False),
        sa.Column("bank_name", types.Str(length=60), nullable=False),
        sa.Column("holder", types.Str(length=80), nullable=False),
        sa.Column("number_enc", types.Str(length=300), nullable=False),
        sa.Column("number_mask", types.Str(length=40), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("bank_ref", types.Str(length=64), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("maker_id", sa.BigInteger(), nullable=False),
        sa.Column("maker_name", types.Str(length=60), nullable=False),
        sa.Column("checker_id", sa.BigInteger(), nullable=False),
        sa.Column("checker_name", types.Str(length=60), nullable=False),
        sa.Column("payer_name", types.Str(length=60), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("decided_at", types.UtcDateTime(), nullable=True),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name="ck_settlement_payout__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_payout"),
        sa.UniqueConstraint("merchant_id", "request_key", name="uq_settlement_payout__merchant_id_request_key"),
        sa.UniqueConstraint("payout_no", name="uq_settlement_payout__payout_no"),
    )
    create_table(
        "settlement_rate",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.Column("promoter_bps", sa.Integer(), nullable=False),
        sa.Column("logistics_bps", sa.Integer(), nullable=False),
        sa.Column("freight_to", types.Str(length=10), nullable=False),
        sa.Column("valid_from_on", sa.Date(), nullable=False),
        sa.Column("valid_until_on", sa.Date(), nullable=False),
        sa.Column("note", types.Str(length=120), nullable=False),
        sa.Column("made_at", types.UtcDateTime(), nullable=False),
        sa.Column("made_by", types.Str(length=60), nullable=False),
        sa.Column("ended_at", types.UtcDateTime(), nullable=True),
        sa.CheckConstraint("fee_bps >= 0 AND promoter_bps >= 0 AND logistics_bps >= 0", name="ck_settlement_rate__rates"),
        sa.CheckConstraint("fee_bps + promoter_bps + logistics_bps <= 10000", name="ck_settlement_rate__sum"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_rate"),
        sa.UniqueConstraint("rule_id", "version", name="uq_settlement_rate__rule_id_version"),
    )
    create_table(
        "settlement_statement",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("month_no", sa.Integer(), nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=False),
        sa.Column("increase_fen", sa.BigInteger(), nullable=False),
        sa.Column("decrease_fen", sa.BigInteger(), nullable=False),
        sa.Column("closing_fen", sa.BigInteger(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("totals", types.PortableJSON(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("opening_fen + increase_fen - decrease_fen = closing_fen", name="ck_settlement_statement__sum"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_statement"),
        sa.UniqueConstraint("merchant_id", "month_no", name="uq_settlement_statement__merchant_id_month_no"),
    )
    create_table(
        "settlement_voucher",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("cause", types.Str(length=80), nullable=False),
        sa.Column("memo", types.Str(length=120), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", types.Str(length=20), nullable=False),
        sa.Column("flow", types.Str(length=8), nullable=False),
        sa.Column("ref_no", types.Str(length=64), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("occurred_at", types.UtcDateTime(), nullable=False),
        sa.Column("booked_at", types.UtcDateTime(), nullable=False),
        sa.Column("maker_id", sa.BigInteger(), nullable=False),
        sa.Column("maker_name", types.Str(length=60), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="ck_settlement_voucher__amount"),
        sa.PrimaryKeyConstraint("id", name="pk_settlement_voucher"),
        sa.UniqueConstraint("cause", name="uq_settlement_voucher__cause"),
    )
    create_index("ix_settlement_account__owner", "settlement_account", ["owner_id", "kind"])
    create_index("ix_settlement_bill__day", "settlement_bill", ["day_on", "id"])
    create_index("ix_settlement_bill_row__ref", "settlement_bill_row", ["channel", "flow", "ref_no"])
    create_index("ix_settlement_case__bill_id", "settlement_case", ["bill_id"])
    create_index("ix_settlement_case__status", "settlement_case", ["status", "id"])
    create_index("ix_settlement_entry__account", "settlement_entry", ["account_id", "booked_at", "id"])
    create_index("ix_settlement_entry__voucher_id", "settlement_entry", ["voucher_id"])
    create_index("ix_settlement_order__due", "settlement_order", ["status", "release_due_at", "id"])
    create_index("ix_settlement_order__merchant", "settlement_order", ["merchant_id", "status", "id"])
    create_index("ix_settlement_payout__batch", "settlement_payout", ["batch_id", "id"])
    create_index("ix_settlement_payout__status", "settlement_payout", ["status", "id"])
    create_index("ix_settlement_rate__merchant", "settlement_rate", ["merchant_id", "place"])
    create_index("ix_settlement_voucher__booked", "settlement_voucher", ["booked_at", "id"])
    create_index("ix_settlement_voucher__channel", "settlement_voucher", ["channel", "occurred_on", "id"])
    create_index("ix_settlement_voucher__order", "settlement_voucher", ["order_id", "id"])
    create_index("ix_settlement_voucher__ref", "settlement_voucher", ["channel", "flow", "ref_no"])

    for table in ("settlement_voucher", "settlement_entry"):
        protect_append_only(table)
