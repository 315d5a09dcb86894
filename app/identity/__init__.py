"""Accounts of five realms, their sessions, roles and sign-in codes.

Owns: identity_* tables. Invariants: rights never leak between realms; session tokens are stored as digests;
phone numbers only encrypted with a blind index. Requirement ids: C15 C16 C19 P01 N10 N12.
"""
