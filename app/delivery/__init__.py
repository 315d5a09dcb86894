"""What delivery costs and when it arrives: freight templates, delivery promises, calendars. Ids: T12 T22 T23 T25 P12; commerce.md §2.13.

Invariants: a region without a rule is not deliverable, never free; amounts are integer fen; what a shop's rules say is named by
one number, the shop's `delivery_revision`, so that prices read them from memory.
"""
