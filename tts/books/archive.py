"""Opens zip archives by strangers: none unpacks to more than it may."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from tts.books.book import BookLimits
from tts.speech.errors import BadRequest, TooLarge

MOST_MEMBERS = 20_000


class Archive:
    """A zip file for reading; close it."""

    def __init__(self, path: Path, limits: BookLimits, field: str) -> None:
        """Open and check it. Raises BadRequest or TooLarge for `field`."""
        self._field = field
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as exc:
            raise BadRequest(f"{field} is damaged: it is no zip archive ({exc}).", field) from exc
        self._check(limits)

    def close(self) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises BadRequest when it is missing or damaged."""
        try:
            return self._zip.read(name)
        except KeyError as exc:
            raise BadRequest(f"{self._field} is damaged: it has no {name[:100]}.", self._field) from exc
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError) as exc:
            raise BadRequest(f"{self._field} is damaged: {name[:100]} can't be unpacked.", self._field) from exc

    def _check(self, limits: BookLimits) -> None:
        """Refuse what would be too large. The sizes that the archive states can't be too low to be true: `zipfile`
        gives no more than those; which holds for deflate alone, so other methods are refused."""
        members = self._zip.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > limits.unpacked or len(members) > MOST_MEMBERS:
            raise TooLarge(
                f"{self._field} unpacks to {unpacked} bytes in {len(members)} files: expected at most "
                f"{limits.unpacked} in {MOST_MEMBERS}.",
                self._field,
                None,
                f"up to {limits.unpacked} bytes unpacked",
            )
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise BadRequest(f"{self._field} is packed by a method other than deflate.", self._field)


def member_path(base: str, href: str) -> str:
    """The member that a link in the member `base` leads to; without its fragment."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(href.partition("#")[0])))
