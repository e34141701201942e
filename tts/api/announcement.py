"""Tells the local network by multicast DNS where the Wyoming server is, which is how Home Assistant finds it."""

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

SERVICE = "_wyoming._tcp.local."


@asynccontextmanager
async def announced(host: str, port: int) -> AsyncIterator[None]:
    """Announce the server for as long as the block lasts; a network that hears nothing of it costs nothing else."""
    logging.getLogger("zeroconf").setLevel(logging.ERROR)  # one of several networks may well be out of reach
    addresses = reachable(host)
    if not addresses:
        yield
        return
    network = None
    try:
        network = AsyncZeroconf(interfaces=InterfaceChoice.All if _is_any(host) else [host])
        await network.async_register_service(described(addresses, port), allow_name_change=True)
        log.info("Home Assistant can find this server at %s", ", ".join(addresses))
    except (OSError, Error) as exc:
        log.warning("Home Assistant will not find this server by itself: %r", exc)
    try:
        yield
    finally:
        if network is not None:
            await network.async_close()


def described(addresses: Sequence[str], port: int) -> AsyncServiceInfo:
    """The entry for this machine."""
    machine = socket.gethostname().partition(".")[0] or "kokoro"
    return AsyncServiceInfo(
        SERVICE,
        f"Kokoro on {machine}.{SERVICE}",
        parsed_addresses=list(addresses),
        port=port,
        server=f"{machine}.local.",
    )


def reachable(host: str) -> list[str]:
    """The addresses at which others on the network reach a server that listens on `host`."""
    if not _is_any(host):
        return [] if _is_local(host) else [host]
    mine = [each.address for interface in psutil.net_if_addrs().values() for each in interface if _is_ip4(each.family)]
    return [address for address in mine if not _is_local(address)]


def _is_ip4(family: int) -> bool:
    return family == socket.AF_INET


def _is_any(host: str) -> bool:
    """Whether it stands for every address of this machine."""
    address = _address(host)
    return address is not None and address.is_unspecified


def _is_local(host: str) -> bool:
    """Whether it is this machine alone; a name that is no address is not announced either."""
    address = _address(host)
    return address is None or address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
