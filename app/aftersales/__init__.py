"""After-sale cases: refund, return, exchange, repair, compensation; inspection, arbitration. Ids: T30 T31 T32 T33 T34; commerce.md §2.9.

Invariants: open cases of a line never hold more units than were bought; what goes back is F() of the frozen line, never more than
was paid; stock moves by the inspection's decision only; every transition is a compare-and-set with an entry in the case's timeline.
"""
