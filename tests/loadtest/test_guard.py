from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.guard import check_host, check_target, read_numbers


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://127.9.9.9"]
)
def test_loopback_may_be_sent_to(url: str):
    check_host(url)
    check_target(url, allowed="", numbers=None)


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080", "http://sms.example.com", "http://0.0.0.0:80", "http:///x"])
def test_another_machine_may_not_be_sent_to_unless_it_is_the_one_that_is_named(url: str):
    with pytest.raises(CannotRun, match="must be on loopback, or allowed by --allow"):
        check_host(url)
    with pytest.raises(CannotRun, match="must be on loopback"):
        check_host(url, "gateway.example.com")


def test_a_machine_that_is_named_needs_numbers_of_ones_own_all_the_same(tmp_path: Path):
    url = "http://Gateway.example.com:8080"
    with pytest.raises(CannotRun, match="needs --numbers FILE"):
        check_target(url, allowed="gateway.example.com", numbers=None)
    check_target(url, allowed="GATEWAY.example.com", numbers=tmp_path)


def test_an_empty_host_is_not_allowed_by_an_empty_name():
    with pytest.raises(CannotRun):
        check_host("http://", "")


def test_numbers_come_one_a_line_with_comments_between(tmp_path: Path):
    file = tmp_path / "numbers"
    file.write_text("# ours\n13800138000\n\n 13900139000 \r\n")
    assert read_numbers(file) == [13800138000, 13900139000]


def test_a_line_that_is_no_number_is_named_and_not_quoted(tmp_path: Path):
    file = tmp_path / "numbers"
    file.write_text("13800138000\n1380013800\n")
    with pytest.raises(CannotRun, match="line 2: must be a number of eleven digits") as error:
        read_numbers(file)
    assert "1380013800:" not in str(error.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", "１３８００１３８０００"])
def test_a_file_without_numbers_is_refused(tmp_path: Path, content: str):
    file = tmp_path / "numbers"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CannotRun, match="--numbers"):
        read_numbers(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(CannotRun, match="nowhere: cannot be read"):
        read_numbers(tmp_path / "nowhere")
