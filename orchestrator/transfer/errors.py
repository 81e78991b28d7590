"""The refusal of a job that is brought here."""


class TransferError(ValueError):
    """A part that breaks a rule; the message names the field, the rule and the remedy."""

    def __init__(self, field: str, rule: str, remedy: str) -> None:
        super().__init__(f"{field}: {rule}; {remedy}")
