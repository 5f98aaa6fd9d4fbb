"""Turn a person's chat exports into a language model that talks like that person."""

__version__ = "0.1.0"
