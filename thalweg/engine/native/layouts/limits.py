"""Up to which sizes kernels and passes take another way."""

NARROW = 8  # inputs at most: to write more than these apart costs the gathering of a shuffled batch more than is gained
MOST_CHANNELS = 32  # of an image by columns: more fill their vectors row by row
