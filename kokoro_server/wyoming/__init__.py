"""Serve Home Assistant's Wyoming protocol, and announce it by mDNS."""
