"""Chinese commercial cryptography for RegionMart; pure: no database, web or settings imports."""
