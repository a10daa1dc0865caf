"""FarmHash's Fingerprint64 and SipHash-2-4 on the values that their authors and users published."""

import numpy as np
import pytest

from thalweg.layers.lookups.fingerprints import fingerprint64, siphash

KNOWN = {  # of every branch: up to 3, 7, 16, 32, 64 and more bytes
    "": 11160318154034397263,
    "Q": 13816109650407654260,
    ",=": 1326014594494455617,
    "WW5": 6316074107149058620,
    "e#p8": 252499459662674074,
    "test": 8581389452482819506,
    "P9|0-Xg": 15614415556471156694,
    "K6Pjv<>ad": 16506019169567922731,
    "y2=B@rsu:g9bWU": 2493222351070148393,
    "bF&d$MYIhB.Ac=qC": 17582099205024456557,
    "M)(iJ1-nf>5XCc0L?": 9968500208262240300,
    "test" * 8: -4196240717365766262 % (1 << 64),
    "7.b^/n=oR_w(vLN?c?xN<5t$p8HY2!s:U": 2506644862971557451,
    "vanilla_hither:70d7d1ce-09da-468c-9864-d0188f70c1fe": 8273296097385490599,
    "0376d8dc-a717-425a-9dd2-d4b36bcaddac:65d52a5d-4f88-4a78-97c9-08464d44bbb6": 14340110469024474010,
    "test" * 64: 3500507768004279527,
}


def test_known_fingerprints():
    assert fingerprint64([text.encode() for text in KNOWN]).tolist() == list(KNOWN.values())


def test_thousands_of_lengths():
    """Guava's test: each fingerprint decides over the bytes of the next ones."""

    def mixed(h, length):
        h ^= int(fingerprint64([bytes(content[:length])])[0])
        return (h ^ h >> 41) * 949921979 % (1 << 64)

    content, count, h = bytearray(3200), 0, 0
    for i in range(800):
        for power in (1, 2, 3, 0):
            h = mixed(h, (i if power == 1 else i**power % count) if power else count)
            content[count] = 97 + (h & 0xFFFFF) % 26
            count += 1
        x0, x1, x2, x3 = content[count - 1], content[count - 2], content[count - 3], content[count // 2]
        content[((x0 << 16) + (x1 << 8) + x2) % count] ^= x3
        content[((x1 << 16) + (x2 << 8) + x3) % count] ^= i % 256
    assert h == 0x7A1D67C50EC7E167


def by_the_paper(text, key):
    """SipHash-2-4 for one text, in Python's integers."""
    mask = (1 << 64) - 1
    start = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    v = [k ^ c for k, c in zip(key * 2, start, strict=True)]

    def turned(x, bits):
        return (x << bits | x >> 64 - bits) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turned(v[1], 13) ^ v[0]
            v[0] = turned(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turned(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turned(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turned(v[1], 17) ^ v[2]
            v[2] = turned(v[2], 32)

    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        m = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@pytest.mark.parametrize("key", [(0x0706050403020100, 0x0F0E0D0C0B0A0908), (133, 137)])
def test_siphash(key):
    random = np.random.default_rng(0)
    texts = [bytes(range(15)), *(random.bytes(n) for n in [*range(40), 255, 256, 300])]
    assert siphash(texts, key).tolist() == [by_the_paper(text, key) for text in texts]


def test_siphash_of_the_paper():
    assert siphash([bytes(range(15))], (0x0706050403020100, 0x0F0E0D0C0B0A0908)).tolist() == [0xA129CA6149BE45E5]


def test_no_text_at_all():
    assert fingerprint64([]).tolist() == []
