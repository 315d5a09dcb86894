"""RFC 6962 Merkle tree with SM3, kept as a compact range: append costs O(log n) memory and time."""

import hmac
from collections.abc import Sequence

from security.symmetric import sm3


def node(left: bytes, right: bytes) -> bytes:
    """Inner node SM3(0x01 || left || right)."""
    return sm3(b"\x01" + left + right)


class Frontier:
    """Roots of the full subtrees of `size` leaves, largest first; enough to append and get the root."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count() or any(len(h) != 32 for h in hashes):
            raise ValueError("frontier does not fit its size")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes)."""
        carry, size = leaf, self.size
        while size & 1:
            carry, size = node(self.hashes.pop(), carry), size >> 1
        self.hashes.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """Tree head; SM3 of the empty string for no leaves (RFC 6962 section 2.1)."""
        if not self.hashes:
            return sm3(b"")
        total = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            total = node(left, total)
        return total

    def copy(self) -> "Frontier":
        """An independent frontier with the same leaves."""
        return Frontier(self.size, self.hashes)


def root(leaves: Sequence[bytes]) -> bytes:
    """Tree head over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of leaf `index` (0-based), bottom up; IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError("leaf is not in the tree")
    path, low, high = [], 0, len(leaves)
    while high - low > 1:
        split = low + (1 << (high - low - 1).bit_length() - 1)
        if index < split:
            path.append(root(leaves[split:high]))
            high = split
        else:
            path.append(root(leaves[low:split]))
            low = split
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], head: bytes) -> bool:
    """RFC 9162 section 2.1.3.2; False for a path of the wrong length too."""
    if not 0 <= index < size:
        return False
    first, last, total = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            total = node(sibling, total)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            total = node(total, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and hmac.compare_digest(total, head)
