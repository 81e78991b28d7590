"""The refusal of a folder."""


class PortableError(ValueError):
    """A folder that cannot be written or read; the message names the file, the rule and the remedy."""
