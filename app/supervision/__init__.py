"""The government board, read from rollup tables only. Ids: G01; commerce.md §2.19.
"""
