import io
import tarfile

import pytest

from vitreous.data.sources.tar_listing import list_tar


@pytest.fixture
def tar(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("./a/1", "a/2", "../3", "a/2"):
            member = tarfile.TarInfo(name)
            member.size = 700
            archive.addfile(member, io.BytesIO(bytes(700)))
    return path


def test_plain_files_in_order(tar):
    listing = list_tar(tar)
    assert listing.names == ["a/1", "a/2", "a/2"]
    assert listing.offsets == [512, 2048, 5120]
    assert listing.sizes == [700] * 3
    assert listing.ignored == 1
    assert listing.damage is None


@pytest.mark.parametrize(
    ("length", "left"), [(5500, 2), (5000, 2), (2100, 1), (2048, 1), (100, 0), (0, 0)]
)
def test_what_lies_before_the_end_is_listed(tar, length, left):
    tar.write_bytes(tar.read_bytes()[:length])
    listing = list_tar(tar)
    assert listing.names == ["a/1", "a/2"][:left]
    assert len(listing.offsets) == len(listing.sizes) == left
    assert listing.damage


def test_a_file_that_is_not_there(tmp_path):
    assert list_tar(tmp_path / "none.tar").damage == "No such file or directory"
