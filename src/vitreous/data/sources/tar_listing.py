"""What lies where in an uncompressed tar: plain files, by their headers alone.

Only plain files count. Links, devices, sparse files and members whose name is absolute or climbs
out (`..`) are ignored and counted.
"""

import lzma
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = tarfile.BLOCKSIZE

# Bytes of a long name or of what a pax header tells; paths have at most a few thousand.
_MOST_HEADER = 1 << 20
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)

TAR_DAMAGE = (
    tarfile.TarError,
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    ValueError,
    lzma.LZMAError,
    zlib.error,
)
"""What tarfile raises of damaged bytes, compressed ones too."""


class BoundedTarInfo(tarfile.TarInfo):
    """A member whose header claims no size below zero, nor a name that is larger than any."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "BoundedTarInfo":
        """Read a header.

        Raises:
            tarfile.HeaderError: It is damaged.
        """
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0:
            raise tarfile.InvalidHeaderError("a size below zero")  # type: ignore[attr-defined]
        if member.type in _HEADERS and member.size > _MOST_HEADER:
            raise tarfile.InvalidHeaderError(  # type: ignore[attr-defined]
                f"a name or header of {member.size:,} bytes"
            )
        return member


@dataclass
class TarListing:
    """Members of one tar, in its order.

    Attributes:
        names: Of each plain file, without a leading `./`; a name may come twice.
        offsets: Where each file's bytes begin.
        sizes: Bytes of each.
        ignored: Members that are no plain files, or whose name climbs out.
        damage: What is wrong with the archive, or None; members before the damage are listed.
    """

    names: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ignored: int = 0
    damage: str | None = None


def list_tar(path: Path) -> TarListing:
    """List a tar, as far as it can be read."""
    listing = TarListing()
    try:
        _list(path, listing)
    except TAR_DAMAGE as fault:
        listing.damage = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        end = path.stat().st_size if path.is_file() else 0
        while listing.names and listing.offsets[-1] + listing.sizes[-1] > end:
            for column in (listing.names, listing.offsets, listing.sizes):
                column.pop()
    return listing


def _list(path: Path, listing: TarListing) -> None:
    with (
        open(path, "rb") as file,
        tarfile.open(fileobj=file, mode="r:", tarinfo=BoundedTarInfo) as archive,
    ):
        before = 0
        while (member := archive.next()) is not None:
            # A pax header may give another size than the member's own.
            if member.size < 0 or archive.offset <= before:
                raise tarfile.ReadError(f"{member.name} has a size below zero")
            before = archive.offset
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep an object a member
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            if not member.isfile() or member.issparse() or not _stays_inside(name):
                listing.ignored += 1
                continue
            listing.names.append(name)
            listing.offsets.append(member.offset_data)
            listing.sizes.append(member.size)
        # tarfile takes a damaged header for the end of the archive; the true end is zeros.
        file.seek(archive.offset)
        if file.read(_BLOCK).strip(b"\0"):
            raise tarfile.ReadError(f"damaged header at byte {archive.offset}")


def _stays_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
