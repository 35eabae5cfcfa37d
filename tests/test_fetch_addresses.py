"""The promises of what a fetch may connect to."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.errors import BadValue
from optimai.node.addresses import allowed, is_public


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.0.10",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_special_addresses_are_not(address: str):
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_is_public_is_global_to_python_as_well(address: IPv4Address | IPv6Address):
    assert not is_public(str(address)) or ip_address(str(address)).is_global


def test_an_operator_names_hosts_with_their_ports():
    assert allowed({"Docs-1.localhost:80": "127.0.0.1:43121", "docs.example:8080": "[::1]:80"}) == {
        ("docs-1.localhost", 80): ("127.0.0.1", 43121),
        ("docs.example", 8080): ("::1", 80),
    }
    for wrong in (
        "docs.example",
        ":80",
        "docs.example:",
        "docs.example:0",
        "docs.example:65536",
        "docs.example:x",
    ):
        with pytest.raises(BadValue):
            allowed({wrong: "127.0.0.1:80"})
