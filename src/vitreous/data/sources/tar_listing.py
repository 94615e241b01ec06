"""What lies where in an uncompressed tar: plain files, by their headers alone.

Only plain files count. Links, devices, sparse files and members whose name is absolute or climbs
out (`..`) are ignored and counted.
"""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = tarfile.BLOCKSIZE


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
    except (tarfile.TarError, OSError, ValueError) as fault:
        listing.damage = getattr(fault, "strerror", None) or str(fault)
        end = path.stat().st_size if path.is_file() else 0
        while listing.names and listing.offsets[-1] + listing.sizes[-1] > end:
            for column in (listing.names, listing.offsets, listing.sizes):
                column.pop()
    return listing


def _list(path: Path, listing: TarListing) -> None:
    with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        while (member := archive.next()) is not None:
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
