"""Pricing, promotions and coupons: rules as versioned data, the pure quote, coupons from claim to use.

Ids: K01 K02 K03 K08 K14 K15 K26 M13 P02 T03 T29; commerce.md §2.4, §2.11. Invariants: a version never changes; coupons and
adjustments name theirs; a limit holds under races by unique rows and guarded updates; adjustments of an order are frozen.
"""
