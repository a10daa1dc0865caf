"""Where batches come from that aren't arrays in memory: made one after the other, as often as they are asked for."""
