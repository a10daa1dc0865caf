"""How much a page may hold, and ask of its server."""

MESSAGE_BYTES = 1_000_000
"""Of one message to the server."""
UPLOAD_BYTES = 20_000_000
"""Of a table's file."""
UPLOADS = 4
"""Tables that a page keeps; the oldest goes."""
PUPILS = 40
"""Of a class, unless another number is asked for."""
NAMES = 500
"""Of a class's pupils who have left, and whose work is kept."""
CLASS_UPLOAD_BYTES = 2_000_000
"""Of a table's file in a class, where many are read."""
NAME = 40
"""Characters of a pupil's name."""
ROWS = 5_000
"""Of a drawn data set."""
TABLE_ROWS = 200_000
"""Of a table."""
TABLE_FEATURES = 2_000
"""Columns of the matrix that a table becomes."""
HIDDEN_LAYERS = 12
UNITS = 256
"""Of one dense layer."""
PARAMETERS = 500_000
"""Weights of a network."""
STEP_WORK = 2_000_000_000
"""Multiplications of a forward pass over one batch: nothing ends a step before its time."""
FORMULA = 300
"""Characters of a name or formula."""
TEXT = 4_000
"""Characters of a text to learn from."""
LETTERS = 120
"""Different ones among them."""


def limits(upload_bytes: int = UPLOAD_BYTES) -> dict[str, int]:
    """What the page is told.

    >>> limits()["units"]
    256
    """
    return {
        "rows": ROWS,
        "upload_bytes": upload_bytes,
        "layers": HIDDEN_LAYERS,
        "units": UNITS,
        "parameters": PARAMETERS,
        "columns": TABLE_FEATURES,
        "message_bytes": MESSAGE_BYTES,
        "text": TEXT,
    }
