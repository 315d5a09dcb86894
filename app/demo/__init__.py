"""The fictional region 澜州市 for demonstrations: made-up merchants, products and people; no real data."""
