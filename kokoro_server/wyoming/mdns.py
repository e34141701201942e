"""Announce the Wyoming server on the local network by multicast DNS (zeroconf), so that Home Assistant discovers it."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil
from zeroconf import Error, InterfaceChoice
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

SERVICE_TYPE = "_wyoming._tcp.local."
"""DNS-SD service type that Home Assistant browses for."""


@asynccontextmanager
async def announce_service(host: str, port: int) -> AsyncIterator[None]:
    """Announce the server while the context is open.

    Does nothing for a server that only this machine reaches. A failure is logged and otherwise ignored.

    Args:
        host: Address that the server listens on; 0.0.0.0 or :: announces all IPv4 addresses of the machine.
        port: TCP port of the server.
    """
    logging.getLogger("zeroconf").setLevel(logging.ERROR)  # it warns of every unreachable interface
    addresses = get_reachable_addresses(host)
    if not addresses:
        yield
        return
    network = None
    try:
        network = AsyncZeroconf(interfaces=InterfaceChoice.All if _is_wildcard(host) else [host])
        await network.async_register_service(make_service_info(addresses, port), allow_name_change=True)
        log.info("Announced to Home Assistant at %s", ", ".join(addresses))
    except (OSError, Error) as exc:
        log.warning("Cannot announce this server, so Home Assistant will not discover it: %r", exc)
    try:
        yield
    finally:
        if network is not None:
            await network.async_close()


def make_service_info(addresses: Sequence[str], port: int) -> AsyncServiceInfo:
    """Build the DNS-SD entry of this machine, named after its host name."""
    machine = socket.gethostname().partition(".")[0] or "kokoro"
    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"Kokoro on {machine}.{SERVICE_TYPE}",
        parsed_addresses=list(addresses),
        port=port,
        server=f"{machine}.local.",
    )


def get_reachable_addresses(host: str) -> list[str]:
    """Return the addresses at which other machines reach a server that listens on `host`."""
    if not _is_wildcard(host):
        return [] if _is_not_announced(host) else [host]
    own = [each.address for interface in psutil.net_if_addrs().values() for each in interface if _is_ipv4(each.family)]
    return [address for address in own if not _is_not_announced(address)]


def _is_ipv4(family: int) -> bool:
    return family == socket.AF_INET


def _is_wildcard(host: str) -> bool:
    """Return True for the addresses that stand for all interfaces, 0.0.0.0 and ::."""
    address = _parse_address(host)
    return address is not None and address.is_unspecified


def _is_not_announced(host: str) -> bool:
    """Return True for loopback addresses, and for host names, which are not announced either."""
    address = _parse_address(host)
    return address is None or address.is_loopback


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
