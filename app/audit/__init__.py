"""The append-only audit store: events written by the verb in its own transaction, sealed by a sequencer.

Invariants: events are insert-only; leaf = SM3(0x00 || payload); seals number them without gaps; checkpoints are
SM2-signed. Requirement ids: N03, gmcrypto.md §5.
"""
