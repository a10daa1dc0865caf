"""The errors thalweg raises on purpose. Each message names what was wrong, what was expected and what to try."""


class ThalwegError(Exception):
    """Base of every error that thalweg raises on purpose; the command line prints its message without a traceback."""


class DataError(ThalwegError, ValueError):
    """The data can't be used as given: a missing file, an unknown column, text in a number column, NaN, labels out of
    range."""


class ShapeError(ThalwegError, ValueError):
    """Two shapes that have to fit do not; the message names both."""


class ArgumentError(ThalwegError, ValueError):
    """An argument is unknown or out of its range; the message lists what is allowed."""


class ModelFileError(ThalwegError, ValueError):
    """A file or folder is not a saved model or run, or it is damaged."""


class DivergedError(ThalwegError, FloatingPointError):
    """A value stopped being finite during training; the message names epoch, batch and instruction."""
