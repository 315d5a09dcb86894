"""Home blocks, notices and agreements with versions and consent. Ids: C04 P03 P05."""
