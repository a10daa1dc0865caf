"""Damaged files: seeded mutations of bytes, of text and of JSON, for the tests of everything that reads files."""

import copy
import gzip
import io
import json
import zipfile

TOKENS = (
    b"", b"\0", b"\xff", b"\n", b'"', b"'", b",", b";", b"[", b"]", b"{", b"}", b":", b"-", b"*a", b"&a ", b"!!int ",
    b"1e999", b"nan", b"inf", b"-1", b"0", b"99999999999999999999", b"2024-13-45", b"2024-02-29", b"null", b"true",
    b"\xe4", b"\xef\xbb\xbf", b"[" * 50, b"\x80\x02", b"<<: *a", b"%YAML 9.9",
)  # fmt: skip
VALUES = (
    None, True, False, 0, 1, -1, 2, 3, 10**9, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.5, 1e-300, 1e300, float("nan"),
    float("inf"), "", "x", "relu", "é\0", "../../etc", "adam", "NaN", [], [0], [1, 2], [[]], {}, {"a": 1},
    {"class_name": "Dense", "config": {"units": 10**9}}, {"class_name": []}, {"config": {}},
)  # fmt: skip


def of_bytes(random, content):
    """The content with one to four places changed: a bit, a byte, a stretch gone, twice or zero, a token put in."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        place, length = random.randrange(len(changed) + 1), random.choice((1, 1, 2, 8, 64, len(changed) // 3))
        kind = random.randrange(7)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1 and place < len(changed):
            changed[place] = random.choice((0, 1, 9, 10, 34, 127, 128, 255))
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = changed[place : place + length]
        elif kind == 4:
            changed[place : place + length] = bytes(len(changed[place : place + length]))
        elif kind == 5:
            changed[place:place] = random.choice(TOKENS)
        else:
            other = random.randrange(len(changed) + 1)
            changed[place : place + length] = changed[other : other + length]
    return bytes(changed)


def of_json(random, value):
    """The value with one to three of its parts replaced, left out, doubled, or moved."""
    changed = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(places_in(changed))
        if not places:
            return random.choice(VALUES)
        inside, key = random.choice(places)
        kind = random.randrange(8)
        if kind == 0:
            del inside[key]
        elif kind == 1:
            inside[key] = copy.deepcopy(random.choice(places)[0])
        elif kind == 2 and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        elif kind == 2:
            inside[str(random.choice(VALUES))] = inside.pop(key)
        elif kind == 3 and isinstance(inside[key], int | float):
            inside[key] = random.choice((-inside[key], inside[key] + 1, inside[key] * 1000, str(inside[key])))
        elif kind == 4:
            inside[key] = [inside[key]]
        else:
            inside[key] = random.choice(VALUES)
    return changed


def places_in(value):
    """(container, key) of everything inside."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_in(value[key])


def of_json_text(random, content):
    """Now the structure, now the letters."""
    if random.randrange(4):
        return json.dumps(of_json(random, json.loads(content))).encode()
    return of_bytes(random, content)


def of_lines(random, content):
    """JSON line by line: one of them changed, or letters."""
    lines = content.splitlines()
    if random.randrange(4):
        place = random.randrange(len(lines))
        lines[place] = json.dumps(of_json(random, json.loads(lines[place]))).encode()
        return b"\n".join(lines)
    return of_bytes(random, content)


def of_gzip(random, content):
    """What is packed changed, and packed again; or the packed bytes."""
    if random.randrange(3):
        return gzip.compress(of_bytes(random, gzip.decompress(content)), 1)
    return of_bytes(random, content)


def of_zip(random, content):
    """One member changed, with a checksum that fits; or the bytes of the archive."""
    if not random.randrange(3):
        return of_bytes(random, content)
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = random.choice(old.namelist())
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, of_header(random, member) if name == chosen else member)
    return changed.getvalue()


def of_header(random, content):
    """Mostly the first 128 bytes, NumPy's header."""
    return of_bytes(random, content[:128]) + content[128:] if random.randrange(4) else of_bytes(random, content)
