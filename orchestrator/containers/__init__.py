"""The containers of a compose project on this host: who runs, and more or fewer of them."""


class ContainersError(RuntimeError):
    """Docker does not answer, or the project has no such service. The message says what to do."""
