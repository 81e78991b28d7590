"""The password of Redis comes from a file of its own, and never shows in a log."""

import pytest

from orchestrator.settings import OrchestratorSettings


def settings(url, file=None):
    return OrchestratorSettings(redis_url=url, redis_password_file=file)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", "redis://:p%40ss%2Fword@redis:6379/0"),
        ("rediss://worker@redis:6380/2", "rediss://worker:p%40ss%2Fword@redis:6380/2"),
        ("redis://old:secret@redis/1?ssl_cert_reqs=none", "redis://old:p%40ss%2Fword@redis/1?ssl_cert_reqs=none"),
    ],
)
def test_the_password_of_the_file_is_put_into_the_url(tmp_path, url, expected):
    file = tmp_path / "password"
    file.write_text("p@ss/word\n")
    assert settings(url, file).redis_with_password() == expected


def test_without_a_file_the_url_stays_as_it_is():
    assert settings("redis://:secret@h:1/0").redis_with_password() == "redis://:secret@h:1/0"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"redis_password_file: .*nothing"):
        settings("redis://h", tmp_path / "nothing").redis_with_password()


def test_logs_show_the_place_alone():
    assert settings("redis://me:secret@h:6379/3").redis_place() == "h:6379/3"
