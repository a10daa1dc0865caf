"""Regions of memory that only lanes know, besides those of the program."""

PREPARED = "prepared"  # what a step derives from the parameters alone, once for all lanes
EXCHANGE = "exchange"  # one part per lane, which the others read after a meeting
