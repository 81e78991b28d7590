"""Which addresses lie behind a target."""

import pytest

from orchestrator.remote.replicas import Board, addresses


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("dns:///127.0.0.1:8001", ["127.0.0.1:8001"]),
        ("127.0.0.1:8001", ["127.0.0.1:8001"]),
        ("ipv4:127.0.0.1:8001,127.0.0.2:8002", ["127.0.0.1:8001", "127.0.0.2:8002"]),
        ("dns:///[::1]:8001", ["[::1]:8001"]),
        ("dns:///nobody.invalid:8001", ["nobody.invalid:8001"]),
        ("no address", ["no address"]),
    ],
)
def test_a_target_names_all_of_its_replicas(target, found):
    assert addresses(target) == found


def test_who_does_not_answer_is_unreachable():
    board = Board({"vlm": "ipv4:127.0.0.1:1,127.0.0.1:2"})
    assert [(one.address, one.state) for one in board.look()] == [
        ("127.0.0.1:1", "unreachable"),
        ("127.0.0.1:2", "unreachable"),
    ]
    board.close()
