"""Parcels, tracking events and confirmation. Ids: T14 M12; commerce.md §2.13.
"""
