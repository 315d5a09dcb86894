"""Spreadsheet import (M10): guard → spool (rows checked, no database) → merge by chunks → result file.

The spool is made once per run outside any transaction; each chunk is merged in its own short transaction together with
its progress, so a kill at any point loses nothing and repeats nothing.
"""
