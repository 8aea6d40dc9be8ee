from pathlib import Path
from typing import Any

import pytest

from tests.config_documents import a_document, fault_of, with_value


def test_a_carrier_whose_binds_only_receive_is_refused(tmp_path: Path) -> None:
    document = with_value("carrier/0/bind/0/mode", "receiver")

    fault = "carrier[cmcc-a].bind: must have at least one [[carrier.bind]] that sends"
    assert fault_of(tmp_path, document) == fault


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("account", 'account.name = "demo": must be used once, is used 2 times'),
        ("carrier", 'carrier.name = "cmcc-a": must be used once, is used 2 times'),
    ],
)
def test_a_name_that_is_used_twice_is_refused(table: str, fault: str, tmp_path: Path) -> None:
    document = a_document()
    document[table] *= 2

    assert fault_of(tmp_path, document) == fault


def test_binds_of_different_carriers_cannot_share_a_name(tmp_path: Path) -> None:
    document = a_document()
    document["carrier"].append({**document["carrier"][0], "name": "cucc-a"})

    fault = 'carrier.bind.name = "cmcc-a-1": must be used once, is used 2 times'
    assert fault_of(tmp_path, document) == fault


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("category/marketing/hours", ["08:00-20:00", "9-5"], 'category.marketing.hours = "9-5": must be HH:MM-HH:MM'),
        ("category/marketing/hours", ["weekdays 08:00-20:00"], "must name days as mon, tue,"),
        ("category/otp/hours", ["08:00-20:00"], 'category.otp.hours = "08:00-20:00": must be [] or left out'),
        ("hours/time_zone", "Asia/Peking", 'hours.time_zone = "Asia/Peking": must name a time zone'),
        ("hours/time_zone", "../etc/passwd", "must name a time zone such as Asia/Shanghai"),
    ],
)
def test_hours_that_cannot_be_kept_are_refused(place: str, value: Any, fault: str, tmp_path: Path) -> None:
    assert fault in fault_of(tmp_path, with_value(place, value))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"strategy": "weighted", "weights": [1, 2]},
            "route[1].weights = (a list): must be one for each of the 1 carriers",
        ),
        ({"strategy": "weighted", "weights": [0]}, "route[1].weights = (a list): must not be all 0"),
        ({"weights": [1]}, 'route[1].weights = (a list): must not be set without strategy = "weighted"'),
        ({"strategy": "cheapest"}, "carrier[cmcc-a].price: must be set: route[1] ranks it by its price"),
        ({"hours": ["8-20"]}, 'route[1].hours = "8-20": must be HH:MM-HH:MM'),
        ({"strategy": "best"}, 'route[1].strategy = "best": must be one of ordered, weighted, cheapest, quality'),
    ],
)
def test_a_strategy_without_what_it_goes_by_is_refused(settings: dict[str, Any], fault: str, tmp_path: Path) -> None:
    document = a_document()
    document["route"] = [{**document["route"][0], **settings}]

    assert fault in fault_of(tmp_path, document)


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("route/0/carriers", ["backup"], 'route[1].carriers = "backup": must be the name of a [[carrier]]'),
        ("route/0/accounts", ["nobody"], 'route[1].accounts = "nobody": must be the name of an [[account]]'),
        ("route/0/carriers", ["cmcc-a"] * 2, 'route[1].carriers = "cmcc-a": must be used once, is used 2 times'),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(place: str, value: Any, fault: str, tmp_path: Path) -> None:
    assert fault_of(tmp_path, with_value(place, value)) == fault


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        (
            "carrier/0/bind/0/reconnect_longest_seconds",
            (
                "carrier[cmcc-a].bind[cmcc-a-1].reconnect_longest_seconds = 0.1: "
                "must be at least reconnect_first_seconds (0.5)"
            ),
        ),
        (
            "delivery/retry_longest_seconds",
            "delivery.retry_longest_seconds = 0.1: must be at least retry_first_seconds (0.5)",
        ),
    ],
)
def test_a_longest_pause_shorter_than_the_first_is_refused(place: str, fault: str, tmp_path: Path) -> None:
    assert fault_of(tmp_path, with_value(place, 0.1)) == fault


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("tls_ca_file", "authorities.pem", '"authorities.pem"'),
        ("tls_server_name", "smsc.test", '"smsc.test"'),
        ("tls_minimum_version", "1.3", '"1.3"'),
        ("tls_certificate_file", "own.pem", '"own.pem"'),
        ("tls_key_file", "own.key", '"own.key"'),
        ("tls_key_password", "open sesame", "(hidden)"),
    ],
)
def test_a_setting_of_tls_without_tls_is_refused(field: str, value: str, shown: str, tmp_path: Path) -> None:
    document = with_value(f"carrier/0/bind/0/{field}", value)

    assert fault_of(tmp_path, document) == (
        f"carrier[cmcc-a].bind[cmcc-a-1].{field} = {shown}: "
        "must not be set without tls = true: nothing would be encrypted"
    )


@pytest.mark.parametrize(("field", "shown"), [("tls_key_file", '"own.key"'), ("tls_key_password", "(hidden)")])
def test_a_key_without_its_certificate_is_refused(field: str, shown: str, tmp_path: Path) -> None:
    document = with_value(f"carrier/0/bind/0/{field}", "own.key")
    document["carrier"][0]["bind"][0]["tls"] = True

    fault = f"carrier[cmcc-a].bind[cmcc-a-1].{field} = {shown}: must not be set without tls_certificate_file"
    assert fault_of(tmp_path, document) == fault


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("tls_minimum_version", "1.1", 'tls_minimum_version = "1.1": must be one of 1.2, 1.3'),
        ("tls_server_name", "smsc test", 'tls_server_name = "smsc test": must be a name or address of a host'),
        (
            "tls_certificate_file",
            "/nowhere/own.pem",
            (
                'tls_certificate_file = "/nowhere/own.pem": must name a certificate in PEM, with its key in it or in '
                "tls_key_file (No such file or directory)"
            ),
        ),
    ],
)
def test_a_setting_of_tls_that_cannot_work_is_refused(field: str, value: str, fault: str, tmp_path: Path) -> None:
    document = with_value(f"carrier/0/bind/0/{field}", value)
    document["carrier"][0]["bind"][0]["tls"] = True

    assert fault_of(tmp_path, document) == f"carrier[cmcc-a].bind[cmcc-a-1].{fault}"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_bytes(content)
    document = with_value("carrier/0/bind/0/tls_ca_file", str(path))
    document["carrier"][0]["bind"][0]["tls"] = True

    fault = fault_of(tmp_path, document)

    assert fault.startswith('carrier[cmcc-a].bind[cmcc-a-1].tls_ca_file = "')
    assert ": must name a file of certificates in PEM (" in fault


def test_the_words_of_an_account_are_some_of_those_that_subscribers_know(tmp_path: Path) -> None:
    assert fault_of(tmp_path, with_value("account/0/opt_out_words", ["td", "bye"])) == (
        'account[demo].opt_out_words = "bye": must be one of r, t, td, n, 退订, 拒收, 0000, stop, stopall, '
        "unsubscribe, cancel, end, quit, optout"
    )


@pytest.mark.parametrize("name", ["opt_out_answer", "opt_in_answer"])
def test_an_answer_to_a_reply_is_a_notification(name: str, tmp_path: Path) -> None:
    fault = fault_of(tmp_path, with_value(f"account/0/{name}", "您已退订，退订回T"))

    assert fault.startswith(f'account[demo].{name} = "')
    assert fault.endswith("must not say how to opt out: it goes as a notification")
    assert "at most 200 characters" in fault_of(tmp_path, with_value(f"account/0/{name}", "【阳光物业】您已退订"))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"key": []}, "key = (a list): must name at least one of number, signature, account, content, each once"),
        ({"key": ["number", "number"]}, "key = (a list): must name at least one of number, signature, account"),
        ({"limit": 1_001}, "limit = 1001: must be 0 to 1000 where the key has the number"),
        ({"limit": -1}, "limit = -1: must be 0 to 1000000"),
        ({"window_seconds": 0}, "window_seconds = 0: must be 1 to 2678400"),
        (
            {"window_seconds": 7_000, "kind": "clock"},
            "window_seconds = 7000: must divide a day (86400) with kind clock",
        ),
        ({"window_seconds": 60, "kind": "calendar_day"}, "window_seconds = 60: must be 86400, or left out, with kind"),
        ({"time_zone": "China"}, 'time_zone = "China": must be a time zone such as Asia/Shanghai'),
        ({"time_zone": "../secrets"}, 'time_zone = "../secrets": must be a time zone such as Asia/Shanghai'),
        ({"time_zone": ""}, 'time_zone = "": must be a time zone such as Asia/Shanghai'),
        ({"kind": "week"}, 'kind = "week": must be one of rolling, clock, calendar_day'),
    ],
)
def test_a_cap_that_cannot_be_kept_is_refused(changes: dict[str, Any], fault: str, tmp_path: Path) -> None:
    document = with_value("cap", [{"name": "mine", "limit": 5} | changes])

    assert fault_of(tmp_path, document).startswith(f"cap[mine].{fault}")


def test_a_key_that_is_no_list_may_be_a_secret_in_the_wrong_place_and_is_not_shown(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, with_value("cap", [{"name": "mine", "limit": 5, "key": "k3y-of-an-account"}]))

    assert "k3y" not in fault
    assert fault.startswith("cap[mine].key = (hidden): must be a list")


def test_a_number_of_the_white_list_must_be_one_and_is_masked(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, with_value("caps", {"white_list": ["13800138000", "1380013800"]}))

    assert fault.startswith("caps.white_list[2] = ")
    assert "1380013800" not in fault


@pytest.mark.parametrize("address", ["10.0.0.1/8", "10.0.0", "example.com", "", "10.0.0.0/33"])
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    rule = "must be an address, or a network such as 10.0.0.0/8 without bits behind its prefix"
    fault = f'account[demo].addresses = "{address}": {rule}'
    assert fault_of(tmp_path, with_value("account/0/addresses", ["127.0.0.1", "2001:db8::/32", address])) == fault
