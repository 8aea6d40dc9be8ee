import pytest

from gateway.http.settings import HttpSettings


def test_defaults_are_valid_and_listen_on_loopback() -> None:
    settings = HttpSettings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.max_messages == 10_000
    assert settings.max_body_bytes == 8 * 1024 * 1024


def test_an_ipv6_address_stands_in_brackets() -> None:
    settings = HttpSettings(listen="[::1]:0")

    assert (settings.host, settings.port) == ("::1", 0)


@pytest.mark.parametrize("listen", ["", "8080", "localhost", "localhost:", ":8080", "a:b", "::1:80", "a:65536", "a:-1"])
def test_a_wrong_address_is_refused_with_its_rule(listen: str) -> None:
    with pytest.raises(ValueError, match="must be host:port"):
        HttpSettings(listen=listen)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("max_body_bytes", 10, "max_body_bytes = 10: must be 1024 to 67108864"),
        ("max_messages", 0, "max_messages = 0: must be 1 to 10000"),
        ("max_messages", 10_001, "max_messages = 10001: must be 1 to 10000"),
        ("max_messages_in_progress", 9_999, "max_messages_in_progress = 9999: must be 10000 to 1000000"),
        ("max_unread_bytes", 1024, "max_unread_bytes = 1024: must be 8388608 to 17179869184"),
        ("body_timeout_seconds", 0, "body_timeout_seconds = 0: must be 0.1 to 3600"),
        ("keep_alive_seconds", 0, "keep_alive_seconds = 0: must be 0.1 to 3600"),
        ("stop_timeout_seconds", -1, "stop_timeout_seconds = -1: must be 0 to 3600"),
        ("retry_after_seconds", 0, "retry_after_seconds = 0: must be 1 to 3600"),
    ],
)
def test_a_wrong_setting_is_refused_with_name_value_and_rule(name: str, value: int, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        HttpSettings(**{name: value})
