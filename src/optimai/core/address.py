"""From which network somebody comes: the part of an address of which it is dear to have many."""

from ipaddress import IPv6Address, ip_address, ip_network

V4, V6 = 24, 48  # bits of a prefix


def network_of(address: str) -> str:
    """`203.0.113.0/24`; "" for this machine itself, and where there is no address to tell by."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return ""
    return str(ip_network((found, V4 if found.version == 4 else V6), strict=False))
