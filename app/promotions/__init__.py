"""The pure price quote: one code path for cart preview, checkout and tests. commerce.md §2.4 layer ① and ⑥ (item price and
freight); further layers are added beside them.
"""
