"""Business-free foundations: database session, transactions, ids, money, time, errors, events, jobs.

Invariants: no module here knows a domain word or imports Flask; one place commits (`tx.transaction`).
"""
