"""Permissions of reviews."""

PERMISSIONS = {
    "review.write": "评价已购商品",
    "review.reply": "回复评价",
    "review.moderate": "管理评价",
}
