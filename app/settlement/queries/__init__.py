"""Reads of settlement, by subject: books, statements, bills."""
