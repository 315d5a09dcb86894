"""Categories, typed attributes, SPU and SKU, tags with evidence, documents, review, versions, price history.

Invariants: a SPU is on the shelf only when approved and complete (publish gate); the option tuple of a SKU is unique in
its SPU; (merchant, external code) is unique. Ids: C06 C08 M05 M06 M07 M10 M11.
"""
