"""Double-entry ledger, splitting of paid orders, payouts, statements and channel reconciliation. Ids: T08 T09 M22 P17; commerce.md §2.8.

Invariants: every voucher sums to zero and has one business cause; an account's balance is the sum of its entries; the parts of a
split order sum to what was paid and funded, whichever units are refunded in whichever order; entries are never changed.
"""
