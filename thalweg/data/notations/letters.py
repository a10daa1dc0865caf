"""Letters that say the same as ASCII ones: full-width digits and signs, the spaces and minus signs of typography."""

from __future__ import annotations

SAME = {0xFF01 + n: 0x21 + n for n in range(94)}
SAME |= {ord(space): 0x20 for space in "\u3000\u00a0\u2007\u2009\u202f"}
SAME |= {ord(letter): ord(same) for letter, same in zip("−￥￡’‘′", "-¥£'''", strict=True)}


def plainly(text: str) -> str:
    """The text in ASCII where ASCII says the same, without spaces at its ends.

    >>> plainly("１２，３４５"), plainly("−5\u202f000"), plainly("10²")
    ('12,345', '-5 000', '10²')
    """
    return text if text.isascii() else text.translate(SAME).strip()
