"""Audit log: canonical form, tree, checkpoints, and a verifier that names the place of every change."""

import random
from dataclasses import replace

import pytest

from security import audit_chain as log
from security import checkpoint as notes
from security import merkle, sm
from security.errors import InvalidEncoding
from security.symmetric import sm3

KEY, POINT = sm.generate_keypair()
ORIGIN = "test.example/audit"


def build(count=23, every=5, at_minute=0):
    """(events, seals, notes): a log of `count` events with a checkpoint every `every` and at the end."""
    events, seals, texts = [], [], []
    frontier, head, previous = log.Frontier(), log.GENESIS, None
    for seq in range(1, count + 1):
        payload = log.canonical_json({"seq": seq, "action": "order.paid", "对象": f"订单{seq}"})
        events.append(log.Event(f"e{seq}", payload))
        leaf = log.leaf(payload)
        head = log.chain(head, leaf)
        frontier.append(leaf)
        seals.append(log.Seal(seq, f"e{seq}", leaf, head))
        if seq % every == 0 or seq == count:
            at = f"2026-11-22T10:{at_minute + seq:02d}:00Z"
            made = log.Checkpoint(ORIGIN, seq, frontier.root(), head, at, previous)
            texts.append(made.sign(KEY))
            previous = made.digest()
    return events, seals, texts


def check(events, seals, texts, **more):
    more.setdefault("public_points", [POINT])
    found = log.verify_sequence(events, seals, texts, **more)
    return [(f.code, f.seq) for f in found]


def reseal(seals, start):
    """Recompute the chain from position `start`, as an insider with write access would."""
    made, head = list(seals[:start]), seals[start - 1].chain if start else log.GENESIS
    for seal in seals[start:]:
        head = log.chain(head, seal.leaf)
        made.append(replace(seal, chain=head))
    return made


def test_canonical_json():
    assert log.canonical_json({"b": 1, "a": [True, None, "é\n"], "c": {}}) == \
        '{"a":[true,null,"é\\n"],"b":1,"c":{}}'.encode()
    assert log.canonical_json({"\ufb01": 1, "\U00010400": 2}) == '{"\U00010400":2,"\ufb01":1}'.encode()
    assert log.canonical_json({"t": (1, 2)}) == b'{"t":[1,2]}'


@pytest.mark.parametrize("payload", [
    {"a": 1.0}, {"a": [float("nan")]}, {1: "a"}, {"a": b"x"}, {"a": {1, 2}}, {"a": 2**53}, {"a": "\ud800"},
])
def test_canonical_json_refuses(payload):
    with pytest.raises((TypeError, ValueError)):
        log.canonical_json(payload)


def reference_root(leaves):
    """RFC 6962 section 2.1 word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sm3(b"")
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sm3(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:]))


def test_tree_matches_the_definition():
    leaves = [log.leaf(bytes([i])) for i in range(70)]
    frontier = log.Frontier()
    for size in range(71):
        assert frontier.root() == reference_root(leaves[:size])
        assert log.Frontier(frontier.size, frontier.hashes).root() == frontier.root()
        if size < 70:
            frontier.append(leaves[size])
    assert len(frontier.hashes) == (70).bit_count()
    copied = frontier.copy()
    copied.append(leaves[0])
    assert frontier.size == 70
    for size, hashes in ((-1, []), (3, [bytes(32)]), (1, [b"x"])):
        with pytest.raises(ValueError, match="frontier"):
            log.Frontier(size, hashes)


def test_inclusion_proofs():
    for size in (1, 2, 3, 7, 8, 9, 33):
        leaves = [log.leaf(bytes([i])) for i in range(size)]
        head = log.root(leaves)
        for index in range(size):
            path = log.inclusion_proof(leaves, index)
            assert log.verify_inclusion(leaves[index], index, size, path, head)
            assert not log.verify_inclusion(log.leaf(b"other"), index, size, path, head)
            assert not log.verify_inclusion(leaves[index], index, size, [*path, bytes(32)], head)
            assert not path or not log.verify_inclusion(leaves[index], index, size, path[:-1], head)
            assert not log.verify_inclusion(leaves[index], size, size, path, head)
            for other in set(range(size)) - {index}:
                assert not log.verify_inclusion(leaves[index], other, size, path, head)
    with pytest.raises(IndexError):
        log.inclusion_proof([], 0)


def test_leaf_and_node_hashes_are_separated():
    one, two = log.leaf(b"a"), log.leaf(b"b")
    assert merkle.node(one, two) != log.leaf(one + two)
    assert log.chain(one, two) != merkle.node(one, two)


def test_checkpoint_note():
    made = log.Checkpoint(ORIGIN, 3, bytes(32), sm3(b"x"), "2026-11-22T10:00:00Z", sm3(b"p"))
    note = made.sign(KEY)
    assert notes.parse(note)[0] == made
    assert notes.verify(note, [POINT]) == made
    assert notes.verify(note, [sm.generate_keypair()[1]]) is None
    assert notes.verify(note, []) is None
    source = random.Random(3)
    for _ in range(400):
        position = source.randrange(len(note))
        changed = note[:position] + source.choice("0a9 \n-+=Zé") + note[position + 1:]
        assert changed == note or notes.verify(changed, [POINT]) is None
    for bad in ("", note + "\n", note.rstrip("\n"), note.replace("size: 3", "size: 03"), note.replace("\n", "\r\n")):
        assert notes.verify(bad, [POINT]) is None


@pytest.mark.parametrize("change", [
    {"origin": "two words"}, {"origin": ""}, {"origin": "a\nb"}, {"size": -1}, {"root": b"x"}, {"previous": b"x"},
    {"at": "2026-11-22"}, {"at": "2026-11-22T10:00:00Z\n"},
])
def test_checkpoint_refuses_impossible_values(change):
    made = log.Checkpoint(ORIGIN, 3, bytes(32), bytes(32), "2026-11-22T10:00:00Z")
    with pytest.raises(InvalidEncoding):
        replace(made, **change).sign(KEY)


def test_intact_log():
    assert check(*build()) == []
    assert check(*build(), origin=ORIGIN, anchors=build()[2][:0], expect_all_sealed=True) == []
    assert check([], [], []) == []


@pytest.mark.parametrize("row", [0, 4, 11, 22])
def test_one_byte_changed(row):
    events, seals, texts = build()
    payload = bytearray(events[row].payload)
    payload[3] ^= 1
    events[row] = log.Event(events[row].event_id, bytes(payload))
    assert check(events, seals, texts) == [("event_edited", row + 1)]


def test_event_and_seal_changed_together():
    events, seals, texts = build()
    events[11] = log.Event("e12", b"{}")
    seals[11] = replace(seals[11], leaf=log.leaf(b"{}"))
    assert check(events, seals, texts)[0] == ("chain_broken", 12)


def test_chain_recomputed_by_an_insider():
    """Event, seal and the whole chain after it rewritten: the signed heads still say where it begins."""
    events, seals, texts = build()
    events[11] = log.Event("e12", b"{}")
    seals[11] = replace(seals[11], leaf=log.leaf(b"{}"))
    found = check(events, reseal(seals, 11), texts)
    assert found[:2] == [("checkpoint_head", 15), ("checkpoint_root", 15)]  # 10 is good: rows 11 to 15


def test_event_row_deleted():
    events, seals, texts = build()
    del events[11]
    assert check(events, seals, texts) == [("event_missing", 12)]


def test_seal_row_deleted():
    events, seals, texts = build()
    del seals[11]
    assert check(events, seals, texts) == [("seal_gap", 12)]


def test_event_and_seal_deleted():
    events, seals, texts = build()
    del events[11:13], seals[11:13]
    assert check(events, seals, texts) == [("seal_gap", 12)]


def test_first_seal_deleted():
    events, seals, texts = build()
    del seals[0]
    assert check(events, seals, texts) == [("seal_gap", 1)]


def test_row_deleted_and_renumbered():
    events, seals, texts = build()
    del events[11], seals[11]
    seals = reseal([replace(s, seq=i) for i, s in enumerate(seals, 1)], 11)
    found = check(events, seals, texts)
    assert found[0][1] == 15
    assert found[-1] == ("tail_cut", 23)


def test_tail_cut():
    events, seals, texts = build()
    assert check(events[:17], seals[:17], texts) == [("tail_cut", 18)]
    assert check([], [], texts) == [("tail_cut", 1)]


def test_tail_and_checkpoints_cut_need_an_anchor():
    events, seals, texts = build()
    assert check(events[:15], seals[:15], texts[:3]) == []
    assert check(events[:15], seals[:15], texts[:3], anchors=[texts[4]]) == [
        ("anchor_missing", 23), ("tail_cut", 16)]
    assert check(events, seals, texts, anchors=[texts[1], texts[4]]) == []
    assert check(events, seals, texts, anchors=["nonsense"]) == [("checkpoint_signature", None)]


def test_swap():
    events, seals, texts = build()
    events[3], events[7] = log.Event("e4", events[7].payload), log.Event("e8", events[3].payload)
    assert check(events, seals, texts) == [("event_edited", 4), ("event_edited", 8)]
    events, seals, texts = build()
    seals[3], seals[7] = replace(seals[7], seq=4), replace(seals[3], seq=8)
    assert ("chain_broken", 4) in check(events, seals, texts)


def test_duplicates():
    events, seals, texts = build()
    assert check([*events, events[3]], seals, texts) == [("event_duplicate", None)]
    assert check(events, [*seals, seals[3]], texts) == [("seal_duplicate", 4)]
    twice = log.Seal(24, "e4", seals[3].leaf, log.chain(seals[-1].chain, seals[3].leaf))
    assert check(events, [*seals, twice], texts) == [("event_duplicate", 24)]


def test_unsealed_event():
    events, seals, texts = build()
    events.append(log.Event("late", b"{}"))
    assert check(events, seals, texts) == []
    assert check(events, seals, texts, expect_all_sealed=True) == [("event_unsealed", None)]


def test_replayed_old_checkpoint():
    events, seals, texts = build()
    assert check(events, seals, [*texts, texts[1]]) == [("checkpoint_order", 10)]
    assert check(events, seals, [texts[1], *texts[1:]])[0] == ("checkpoint_order", 10)


def test_dropped_checkpoint():
    events, seals, texts = build()
    assert check(events, seals, texts[:2] + texts[3:]) == [("checkpoint_order", 20)]


def test_bad_checkpoint_signature():
    events, seals, texts = build()
    texts[2] = texts[2].replace("size: 15", "size: 14")
    assert check(events, seals, texts)[0] == ("checkpoint_signature", None)
    assert {code for code, _ in check(events, seals, build()[2], public_points=[sm.generate_keypair()[1]])} == {
        "checkpoint_signature"}


def test_checkpoint_of_another_log():
    events, seals, texts = build()
    assert set(check(events, seals, texts, origin="other")) == {
        ("checkpoint_origin", n) for n in (5, 10, 15, 20, 23)}


def test_two_heads_signed_for_one_size():
    """A fork: the sequencer key signed two different histories."""
    events, seals, texts = build()
    other = build(count=23, at_minute=1)[2]
    found = check(events, seals, texts, anchors=[other[-1]])
    assert found == [("anchor_missing", 23)]
