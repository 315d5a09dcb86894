"""Verbs of settlement, by subject: ledger, rates, splitting, release, payouts, deposits, closing, bills, cases."""
