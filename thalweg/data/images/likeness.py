"""Whether pictures look like those that a network was trained on: inverted ones are answered as surely as others.

Each picture is judged by itself, so that one alone and one among a million give the same answer. It is reduced to the
means of a grid of cells; its distance is the mean of ((cell − training's mean) / training's spread)².
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.images.image_set import Images, Range
from thalweg.data.images.picture_files import spell
from thalweg.errors import ModelFileError
from thalweg.support.untrusted import Npz, readable

CELLS = 8  # a side
LEAST_SPREAD = 0.1  # of black to white: cells that are the same in all training pictures, such as corners, vary so much
USUAL = 0.999  # share of the training pictures within the limit
MARGIN = 1.5  # times the limit: few training pictures say little of how far others lie
TIMES = 2.0  # nearer to training's, inverted: it looks inverted
FLAT = 0.25  # of training's least contrast
PROPORTIONS = 1.1  # change of proportions, beyond training's, that is told
CHUNK = 4096  # pictures at a time
NAMED = 3  # pictures that a warning names
ARRAYS = ("mean", "spread", "limits", "stretched")


@dataclass(frozen=True, eq=False)
class Likeness:
    """What training's pictures looked like, black being 0 and white 1.

    Attributes:
        mean, spread: of each cell, (cells down, cells across, channels).
        limit: the distance within which nearly all of them lie.
        contrast: nearly the least standard deviation of a picture's pixels.
        stretched: the least and the greatest change of proportions.
    """

    mean: Array
    spread: Array
    limit: float
    contrast: float
    stretched: tuple[float, float]

    @classmethod
    def of(cls, images: Images) -> Likeness:
        """Of the pictures to learn from, whose range is known."""
        assert images.range is not None
        parts = list(_measured(images.x, images.range))
        cells, contrasts = (np.concatenate(part) for part in zip(*parts, strict=True))
        mean, spread = cells.mean(axis=0), np.maximum(cells.std(axis=0), LEAST_SPREAD)
        limit = float(np.quantile(_distance(cells, mean, spread), USUAL))
        ends = (1.0, 1.0) if images.stretched is None else (images.stretched.min(), images.stretched.max())
        contrast = float(np.quantile(contrasts, 1 - USUAL))
        return cls(mean, spread, limit, contrast, (float(ends[0]), float(ends[1])))

    def warnings(
        self, x: Array, black_white: Range, name: Callable[[int], str], stretched: Array | None, inverted: bool
    ) -> list[str]:
        """A sentence for each way in which some of the pictures (rows, height, width, channels) differ.

        Args:
            x: the pixels. black_white: their range.
            name: how the picture of a row is called.
            stretched: how much wider each was made; None: none was.
            inverted: whether they were inverted already.
        """
        parts = list(_measured(x, black_white))
        cells, contrasts = (np.concatenate(part) for part in zip(*parts, strict=True))
        own = _distance(cells, self.mean, self.spread)
        other = _distance(1 - cells, self.mean, self.spread)
        turned = (own > MARGIN * self.limit) & (own > TIMES * other)
        remedy = "leave out --invert" if inverted else "--invert turns them round"
        said = [
            _counted(turned, name, f"dark where training's were light, and light where they were dark: {remedy}"),
            _counted(
                contrasts < FLAT * self.contrast, name, "of nearly one colour, flatter than any that it was trained on"
            ),
        ]
        if stretched is not None:
            least, most = self.stretched[0] / PROPORTIONS, self.stretched[1] * PROPORTIONS
            far = (stretched < least) | (stretched > most)
            how = "brought to other proportions than training's were: --fit crop or --fit pad keeps theirs"
            said.append(_counted(far, name, how))
        return [sentence for sentence in said if sentence]

    def save(self, path: Path) -> None:
        """Writes likeness.npz."""
        limits = np.array([self.limit, self.contrast])
        np.savez(path, mean=self.mean, spread=self.spread, limits=limits, stretched=np.array(self.stretched))

    @classmethod
    def load(cls, path: Path, shape: tuple[int, ...]) -> Likeness:
        """Reads likeness.npz of a network for images of that shape."""
        problem = f"{path} is damaged"
        with readable(ModelFileError, problem), Npz(path) as archive:
            mean, spread, limits, stretched = (archive[name] for name in ARRAYS)
        grid = (min(CELLS, shape[0]), min(CELLS, shape[1]), shape[2])
        sound = mean.shape == spread.shape == grid and limits.shape == stretched.shape == (2,)
        if not sound or any(array.dtype.kind != "f" for array in (mean, spread, limits, stretched)):
            raise ModelFileError(f"{problem}: it doesn't belong to images of {spell(shape)}")
        numbers = np.concatenate([array.ravel() for array in (mean, spread, limits, stretched)])
        if not np.isfinite(numbers).all() or not (spread > 0).all():
            raise ModelFileError(f"{problem}: its numbers aren't those of pictures")
        return cls(mean, spread, float(limits[0]), float(limits[1]), (float(stretched[0]), float(stretched[1])))


def _measured(x: Array, black_white: Range) -> Iterator[tuple[Array, Array]]:
    """The cells' means, (rows, down, across, channels), and the contrast of each picture, some rows at a time."""
    black, white = black_white
    down, across = (np.linspace(0, side, min(CELLS, side) + 1).astype(int) for side in x.shape[1:3])
    area = np.diff(down)[:, None, None] * np.diff(across)[:, None]
    for begin in range(0, len(x), CHUNK):
        part = (x[begin : begin + CHUNK].astype(np.float32) - black) / (white - black)
        cells = np.add.reduceat(np.add.reduceat(part, down[:-1], axis=1), across[:-1], axis=2) / area
        yield cells, part.std(axis=(1, 2, 3))


def _distance(cells: Array, mean: Array, spread: Array) -> Array:
    """The mean of ((cell − mean) / spread)² of each picture, (rows,)."""
    distance: Array = (((cells - mean) / spread) ** 2).mean(axis=(1, 2, 3))
    return distance


def _counted(which: Array, name: Callable[[int], str], what: str) -> str:
    """A sentence on these pictures, with their number and the first of them; "" if there are none."""
    rows = np.flatnonzero(which).tolist()
    if not rows:
        return ""
    if len(which) == 1:
        return f"{name(0)} is {what}"
    shown = ", ".join(map(name, rows[:NAMED])) + (", …" if len(rows) > NAMED else "")
    verb = "is" if len(rows) == 1 else "are"
    return f"{len(rows):,} of {len(which):,} pictures ({shown}) {verb} {what}"
