"""What the addresses of a carrier may mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.addresses import phones_of, source_key, sources_of
from gateway.delivery.settings import CarrierSettings

INTERNATIONAL, NATIONAL, UNKNOWN, ALPHANUMERIC = 1, 2, 0, 5


@pytest.mark.parametrize(
    ("address", "ton", "phones"),
    [
        ("8613800138000", INTERNATIONAL, ("+8613800138000",)),
        ("+8613800138000", UNKNOWN, ("+8613800138000",)),
        ("13800138000", NATIONAL, ("+8613800138000", "+13800138000")),
        ("13105551234", INTERNATIONAL, ("+13105551234", "+8613105551234")),
        ("85291234567", UNKNOWN, ("+85291234567",)),
        ("10086", UNKNOWN, ()),
        ("BANK", ALPHANUMERIC, ()),
        ("", UNKNOWN, ()),
    ],
)
def test_a_phone_is_read_as_its_carrier_may_mean_it(address: str, ton: int, phones: tuple[str, ...]):
    assert phones_of(address, ton) == phones


@given(st.text(max_size=65), st.integers(0, 255))
def test_no_address_is_too_strange(address: str, ton: int):
    assert all(phone.startswith("+") for phone in phones_of(address, ton))


@pytest.mark.parametrize("address", ["10690001", "8610690001", "+8610690001", "010690001"])
def test_a_source_number_is_known_with_country_code_and_without(address: str):
    assert source_key("10690001", "a") in sources_of(address, CarrierSettings(name="a"))


def test_what_left_without_a_number_is_known_by_its_carrier_and_no_other():
    assert source_key("", "a") in sources_of("106575", CarrierSettings(name="a"))
    assert source_key("", "b") not in sources_of("106575", CarrierSettings(name="a"))
