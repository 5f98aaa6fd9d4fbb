"""The number of contexts of an evaluation, for the command line: importing this is cheap."""

DEFAULT_CONTEXTS = 200
MIN_CONTEXTS = 20
"""With fewer replies, every confidence interval would span the whole range."""
