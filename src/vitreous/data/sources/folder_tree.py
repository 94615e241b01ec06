"""The folders of a listing that hold images, as a tree."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Folder:
    """A folder that has images in it or below.

    Attributes:
        path: Inside the tree, with a slash at its end; empty for the tree itself.
        names: File names of the images in the folder itself.
        children: Folders in it, by name.
    """

    path: str = ""
    names: list[str] = field(default_factory=list)
    children: dict[str, "Folder"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.rstrip("/").rpartition("/")[2]

    def below(self) -> Iterator["Folder"]:
        """The folder itself, and all below it."""
        yield self
        for child in self.children.values():
            yield from child.below()

    def count(self) -> int:
        """Images in it and below."""
        return sum(len(folder.names) for folder in self.below())

    def cut(self, path: str) -> "Folder | None":
        """Take the folder of a path below out of the tree; None where there is none."""
        for name, child in list(self.children.items()):
            if child.path == path:
                return self.children.pop(name)
            if path.startswith(child.path) and (found := child.cut(path)) is not None:
                if not any(one.names for one in child.below()):
                    del self.children[name]
                return found
        return None

    def shape(self) -> frozenset[str]:
        """Paths of the folders below with images of their own, relative to this one."""
        start = len(self.path)
        return frozenset(one.path[start:] for one in self.below() if one.names)

    def files(self) -> set[str]:
        """Paths of the images in it and below, relative to it."""
        start = len(self.path)
        return {one.path[start:] + name for one in self.below() for name in one.names}

    def stems(self) -> set[str]:
        """File names without endings, of all images in it and below."""
        return {name.rpartition(".")[0] for folder in self.below() for name in folder.names}


def grow(images: Mapping[str, list[str]]) -> Folder:
    """The tree of the folders that hold images: path with a slash at its end -> file names."""
    root = Folder()
    for path, names in sorted(images.items()):
        folder = root
        for word in path.split("/")[:-1]:
            if word not in folder.children:
                folder.children[word] = Folder(f"{folder.path}{word}/")
            folder = folder.children[word]
        folder.names = names
    return root
