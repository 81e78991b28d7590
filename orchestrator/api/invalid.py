"""The refusal of a request."""


class InvalidRequestError(ValueError):
    """A request that breaks a rule; the message is for the caller."""

    def __init__(self, field: str, rule: str, remedy: str) -> None:
        super().__init__(f"{field}: {rule}; {remedy}")
