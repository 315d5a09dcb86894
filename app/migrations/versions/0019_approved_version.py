"""When a version of a product passed review: the reviewer of the next one compares with the last that did."""

import sqlalchemy as sa

from app.migrations.guarded import add_column
from dbadapters import types

revision = "0019_approved_version"
down_revision = "0018_listing"


def upgrade() -> None:
    """The instant of approval, empty for versions nobody decided on."""
    add_column("catalog_product_version", sa.Column("approved_at", types.UtcDateTime(), nullable=True))
