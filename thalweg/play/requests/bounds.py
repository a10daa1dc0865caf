"""How much a page may ask of this machine."""

MESSAGE_BYTES = 1_000_000
"""Of one message over the socket."""
UPLOAD_BYTES = 20_000_000
"""Of a table's file."""
UPLOADS = 4
"""Tables that a session keeps; the oldest goes."""
SESSIONS = 8
"""Pages that are open at once."""
PUPILS = 40
"""Of a class, unless another number is asked for."""
NAMES = 500
"""Of a class's pupils who have left, and whose work is kept."""
PUPIL_PAGES = 2
"""Pages that one pupil has open at once."""
CLASS_UPLOAD_BYTES = 2_000_000
"""Of a table's file in a class, where everybody's tables lie in this machine's memory."""
NAME = 40
"""Characters of a pupil's name."""
ROWS = 5_000
"""Of a drawn data set."""
TABLE_ROWS = 200_000
"""Of a table."""
TABLE_FEATURES = 2_000
"""Columns of the matrix that a table becomes."""
GIVEN_ROWS, GIVEN_COLUMNS = 1_000, 64
"""Of rows that are written in the state."""
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
UNITS_SHOWN = 64
"""Small maps of one layer's units."""


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
