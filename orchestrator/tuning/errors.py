"""What can be wrong with a wish to tune."""


class TuningError(ValueError):
    """The message names the option or the field, the rule and the remedy."""
