"""Addresses of one network are one, and this machine is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.address import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
        ("a unix socket", ""),
    ],
)
def test_a_network_is_24_bits_of_an_old_address_and_48_of_a_new_one(address: str, network: str):
    assert network_of(address) == network


@given(st.ip_addresses(v=4), st.integers(0, 255))
def test_whoever_differs_in_the_last_byte_alone_is_of_the_same_network(address: object, last: int):
    other = f"{str(address).rpartition('.')[0]}.{last}"
    assert network_of(str(address)) == network_of(other)


@given(st.text(max_size=60))
def test_whatever_is_none_is_of_no_network(text: str):
    assert isinstance(network_of(text), str)
