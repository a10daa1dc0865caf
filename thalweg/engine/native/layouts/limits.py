"""The sizes up to which kernels and passes use other methods."""

NARROW = 8  # inputs at most: writing more to separate columns costs gathering a shuffled batch more than it gains
MOST_CHANNELS = 32  # of an image by columns: more fill the vectors row by row
