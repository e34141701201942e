"""Read members of untrusted zip archives, within a limit on the unpacked size."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from kokoro_server.audiobooks.formats.book import BookLimits
from kokoro_server.core.errors import BadRequest, TooLarge

MAX_MEMBERS = 20_000
"""Limit on the number of files in one archive."""


class Archive:
    """Read a zip file whose sizes and compression methods were checked on opening.

    Close it after use. Not thread-safe.
    """

    def __init__(self, path: Path, limits: BookLimits, field: str) -> None:
        """Open the archive and check it against the limits.

        Args:
            path: The zip file.
            limits: `unpacked_bytes` bounds the sum of the members' sizes.
            field: The request field that error messages name.

        Raises:
            BadRequest: The file is not a zip archive, or a member is compressed by a method other than deflate.
            TooLarge: The members unpack to too many bytes, or there are more than MAX_MEMBERS.
        """
        self._field = field
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as exc:
            raise BadRequest(f"{field} is damaged: it is no zip archive ({exc}).", field) from exc
        self._check_limits(limits)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """Return a member's unpacked bytes. Raises BadRequest when it is missing or damaged."""
        try:
            return self._zip.read(name)
        except KeyError as exc:
            raise BadRequest(f"{self._field} is damaged: it has no {name[:100]}.", self._field) from exc
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError) as exc:
            raise BadRequest(f"{self._field} is damaged: {name[:100]} can't be unpacked.", self._field) from exc

    def _check_limits(self, limits: BookLimits) -> None:
        """Raise TooLarge or BadRequest when the archive exceeds a limit or uses a method other than deflate."""
        # The stated sizes can be trusted as upper bounds: zipfile never returns more bytes than a member states. This
        # holds for stored and deflated members only, so other methods are refused below.
        members = self._zip.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > limits.unpacked_bytes or len(members) > MAX_MEMBERS:
            raise TooLarge(
                f"{self._field} unpacks to {unpacked} bytes in {len(members)} files: expected at most "
                f"{limits.unpacked_bytes} in {MAX_MEMBERS}.",
                self._field,
                None,
                f"up to {limits.unpacked_bytes} bytes unpacked",
            )
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise BadRequest(f"{self._field} is packed by a method other than deflate.", self._field)


def resolve_href(base: str, href: str) -> str:
    """Return the archive path that `href` in the member `base` refers to, without the fragment."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(href.partition("#")[0])))
