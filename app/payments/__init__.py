"""Payment intents, attempts and channel notices; receipt committed first. Ids: T06 T15; commerce.md §2.7.

Invariants: a paid receipt is applied to its trade or refunded; amounts never come from the client.
"""
