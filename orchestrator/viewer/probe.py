"""`python -m orchestrator.viewer.probe HOST:PORT`: does the viewer answer? For health checks of containers."""

import http.client
import sys


def answers(address: str, timeout: float = 5.0) -> bool:
    """Whether the viewer at `HOST:PORT` says that it is well."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1]))
