"""Layers for sequences: cells, the layers that go through the steps with them, and layers around these."""

from __future__ import annotations

from thalweg.layers.recurrent import convolutional, gated, rnn, sequences, stacked, wrappers
from thalweg.layers.recurrent.convolutional import *  # noqa: F403 — a new layer is named only in its own file
from thalweg.layers.recurrent.gated import *  # noqa: F403
from thalweg.layers.recurrent.rnn import *  # noqa: F403
from thalweg.layers.recurrent.sequences import *  # noqa: F403
from thalweg.layers.recurrent.stacked import *  # noqa: F403
from thalweg.layers.recurrent.wrappers import *  # noqa: F403

__all__: list[str] = []
__all__ += convolutional.__all__
__all__ += gated.__all__
__all__ += rnn.__all__
__all__ += sequences.__all__
__all__ += stacked.__all__
__all__ += wrappers.__all__
