"""What ends a training run before its time."""


class TrainingError(ValueError):
    """A setting, the images or the folder do not fit. The message names which, the rule and the remedy."""


class Interrupted(Exception):  # noqa: N818  not an error: somebody asked for it
    """A signal asked the run to end; what it had done is in a checkpoint."""
