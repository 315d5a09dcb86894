"""Warehouses, stock columns and typed movements.

Invariants: available = on_hand − allocated − reserved − quota_held ≥ 0 by CHECK; columns = Σ movements; every movement
has a unique cause. Ids: T16 T17; commerce.md §2.6.
"""
