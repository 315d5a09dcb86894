"""Trade → Order per merchant; states, holds, events, timeouts. Ids: T01 T10 T11 T15; commerce.md §2.5.

Invariants: Σ order payable = trade payable; every transition is a compare-and-set with an event row.
"""
