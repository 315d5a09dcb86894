"""Merchants, their applications, licences and shops.

Invariants: a merchant sells only while `active`; the licence is shown on the shop (C05). Ids: M01 M04.
"""
