"""Per-node tantivy replica: segmentation, pinyin, typo tolerance, facets inside one SKU; the shop window.

Owns: search_* tables and the index folder. The replica can be deleted at any time: it is built again. Ids: C06 C07.
"""
