"""The layout of a tree of folders: parts, classes, and folders that are neither.

    CLASS/image.jpg           one part, train
    train/CLASS/image.jpg     parts by words in the names of the folders (`folder_words`)
    CLASS/train/image.jpg     the same the other way round

Folders around the tree, and folders that hold one folder only, are passed through. Folders inside
a class belong to it. A tree that can be read in two ways gets a `doubt` that names both.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from vitreous.data.sources.folder_tree import Folder
from vitreous.data.sources.folder_words import (
    is_annotations,
    is_images,
    is_unlabelled,
    masked_stem,
    part_of_folder,
    words_of,
)

IGNORED = {
    "masks": "look like masks or annotations",
    "copies": "are copies of the folders around them",
    "unlabelled": "have no labels",
    "beside": "are in folders beside the parts",
    "elsewhere": "are in other folders than those asked for",
}
"""Why images of a folder are left out -> in words."""

_DUMMY = frozenset(("unknown", "dummy", "none", "class", "0", "x", "unsorted"))


@dataclass
class Layout:
    """The meaning of each folder.

    Attributes:
        placed: Path of a folder -> part and class of the images in it; class None is none.
        ignored: Why images are left out (`IGNORED`) -> the folders' paths.
        sources: Part -> the folders that are it.
        classes: Where class names come from, in words.
        doubt: Why the labels cannot be used; empty where they can.
        asks: Whether the doubt is a choice between readings.
    """

    placed: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    classes: str = ""
    doubt: str = ""
    asks: bool = False

    def ignore(self, why: str, folder: Folder) -> None:
        """Leave a folder and all below it out."""
        self.ignored.setdefault(why, []).append(folder.path)

    def ask(self, doubt: str) -> None:
        """Note a choice that only the user can make; the first one is told."""
        self.doubt, self.asks = self.doubt or doubt, True


def lay_out(root: Folder, layout: str = "auto") -> Layout:
    """Tell parts and classes by names and shape.

    Args:
        root: The tree.
        layout: `auto`, or the user's decision: `classes`, `parts`, `leaf` or `flat`.
    """
    found = Layout()
    if layout in ("flat", "leaf"):
        _by_path(root, found, leaf=layout == "leaf")
        return found
    node = unwrap(root, found)
    rest = _without_annotations(node, found)
    parts = {} if layout == "classes" else _parts(node, rest, found, forced=layout == "parts")
    if parts:
        _place_parts(node, parts, found)
    elif len(rest) == 1 and not rest[0].children and is_images(rest[0].name):
        _place_whole(rest[0], "train", None, found)
    else:
        _place_classes(node, rest, "train", found, forced=layout == "classes")
        found.classes = f"names of the folders in {node.path or 'it'}"
    if not found.doubt and not any(name for _, name in found.placed.values()):
        _no_classes(node, found)
    return found


def unwrap(node: Folder, found: Layout | None = None) -> Folder:
    """Pass through folders around a tree: single ones that are no part and hold folders."""
    while True:
        aside = Layout()
        rest = _without_annotations(node, aside)
        if len(rest) != 1 or part_of_folder(rest[0].name) or not rest[0].children:
            return node
        if found is not None:
            for why, paths in aside.ignored.items():
                found.ignored.setdefault(why, []).extend(paths)
        node = rest[0]


def _annotates(child: Folder, parent: Folder) -> bool:
    """Return whether a folder holds masks of the images beside it, by its name and theirs."""
    if not is_annotations(child.name):
        return False
    beside = [one for one in parent.children.values() if one is not child]
    if any(is_images(one.name) for one in beside):
        return True
    if any(child.name.lower() in one.name.lower() for one in beside):
        return False  # `mask` beside `no_mask` is a class
    bases = {stem: masked_stem(stem) for stem in child.stems()}
    own = {base or stem for stem, base in bases.items()}
    others = {name.rpartition(".")[0] for name in parent.names}.union(*(o.stems() for o in beside))
    telling = [stem for stem, base in bases.items() if base or not stem.isdecimal()]
    return len(own & others) * 2 > len(own) and len(telling) * 2 > len(bases)


def _without_annotations(node: Folder, found: Layout) -> list[Folder]:
    rest = []
    for child in node.children.values():
        if _annotates(child, node):
            found.ignore("masks", child)
        else:
            rest.append(child)
    return rest


def _parts(
    node: Folder, rest: list[Folder], found: Layout, *, forced: bool
) -> dict[str, list[Folder]]:
    """Part -> folders; empty where the folders are classes."""
    of = {child.name: part for child in rest if (part := part_of_folder(child.name)) is not None}
    if not of:
        if forced:
            found.ask(f"no folder of {_listed(rest)} is called train, val or test")
        return {}
    parts: dict[str, list[Folder]] = {}
    for child in rest:
        if child.name in of:
            parts.setdefault(of[child.name], []).append(child)
    others = [child for child in rest if child.name not in of]
    idle = [child for child in others if is_unlabelled(child.name)]
    strange = [child for child in others if child not in idle and not _is_copy(child, node)]
    flat = all(not child.children for child in rest)
    if flat and not forced and not idle and len(parts) == 1 and len(rest) > 1:
        if _classes_like_parts(list(of), strange):
            return {}
        name, part = next(iter(of.items()))
        fix = "--layout parts as parts"
        if part != "train" and len(of) == 1:
            fix = f"--{part}-folder {name} all but {name}/ as those of training"
        found.ask(
            f"{_listed(rest)} may be classes, or {name}/ a part without class folders: --layout "
            f"classes takes them as classes, {fix}"
        )
    unclear = [child for child in strange if "train" not in parts or child.children]
    if unclear and not flat and not forced:
        name, part = next(iter(of.items()))
        fix = f"--{part}-folder {name} takes all others as training"
        if "train" in parts:
            fix = "name it train, val or test, or move it elsewhere"
        found.ask(
            f"{unclear[0].name}/ lies beside the part folder {name}/: {fix}; --layout parts leaves "
            "it out"
        )
    for child in others:
        if child in idle or (child in strange and not child.children):
            found.ignore("unlabelled", child)
        else:
            found.ignore("beside" if child in strange else "copies", child)
    return parts


def _classes_like_parts(parts: list[str], others: list[Folder]) -> bool:
    """Return whether a folder of a part's name is a class among others, as `train` beside `car`."""
    if len(parts) > 1:
        return False
    words = set(words_of(parts[0]))
    a_train = "train" in words and not any(map(is_images, words))
    negated = any(parts[0].lower() in one.name.lower() for one in others)
    return negated or (a_train and len(others) > 1)


def _is_copy(child: Folder, node: Folder) -> bool:
    """Return whether a folder repeats those beside it, as archives that hold themselves unpack."""
    inner = unwrap(child)
    beside = [one for one in node.children.values() if one is not child]
    if len(inner.children) < len(beside) or not inner.children:
        return False
    shapes = {f"{one.name}/{path}" for one in beside for path in one.shape()}
    if len(shapes) < 2 or not shapes <= inner.shape():
        return False
    files = {f"{one.name}/{name}" for one in beside for name in one.files()}
    return files <= inner.files()


def _place_parts(node: Folder, parts: dict[str, list[Folder]], found: Layout) -> None:
    inner: dict[str, Folder] = {}
    flat: list[tuple[str, Folder]] = []
    for part, folders in parts.items():
        deep = [(folder, _inside(folder, found)) for folder in folders]
        labelled = [(folder, inside) for folder, inside in deep if inside.children]
        flat += [(part, folder) for folder, inside in deep if not inside.children]
        if len(labelled) > 1:
            names = [folder.path for folder, _ in labelled]
            found.ask(
                f"both {' and '.join(names[:2])} are {part}: keep one, or name one with "
                f"--{part}-folder"
            )
        for folder, inside in labelled:
            inner[folder.path] = inside
        found.sources[part] = ", ".join(folder.path for folder, _ in labelled or deep)
    if not inner:
        for part, folder in flat:
            _place_whole(folder, part, None, found)
        _no_classes(node, found)
        return
    for part, folders in parts.items():
        for folder in folders:
            if folder.path in inner:
                inside = inner[folder.path]
                _place_classes(inside, _without_annotations(inside, found), part, found)
    _leave_dummies(inner, found)
    for part, folder in flat:
        found.ignore("unlabelled", folder)
        if found.sources[part] == folder.path:
            del found.sources[part]
    found.classes = "names of the folders in the parts"


def _inside(folder: Folder, found: Layout) -> Folder:
    """A part's folder, without the folders around its classes."""
    while True:
        rest = [child for child in folder.children.values() if not _annotates(child, folder)]
        if len(rest) != 1:
            return folder
        (child,) = rest
        same = child.name.lower() == folder.name.lower() or is_images(child.name)
        if not (child.children or same or part_of_folder(child.name)):
            return folder
        folder = child


def _leave_dummies(inner: Mapping[str, Folder], found: Layout) -> None:
    """Parts whose one folder is no class of training, and is called as one that is none."""
    classes: dict[str, set[str]] = {}
    for part, name in found.placed.values():
        if name is not None:
            classes.setdefault(part, set()).add(name)
    trained = classes.get("train", set())
    for part, own in classes.items():
        word = next(iter(own)).lower()
        if part == "train" or len(own) > 1 or own & trained or not trained:
            continue
        if word in _DUMMY or is_unlabelled(word) or is_images(word) or part_of_folder(word):
            gone = [path for path, (of, _) in found.placed.items() if of == part]
            for path in gone:
                del found.placed[path]
            found.ignored.setdefault("unlabelled", []).extend(gone)
            found.sources.pop(part, None)


def _place_classes(
    node: Folder, rest: list[Folder], part: str, found: Layout, *, forced: bool = False
) -> None:
    """Take the folders of a node as classes, where nothing speaks for another reading."""
    rest, turned = _kept(node, rest, found, forced=forced), False
    for child in rest:
        parts = {} if forced else {c.name: part_of_folder(c.name) for c in child.children.values()}
        if parts and not child.names and all(parts.values()):
            turned = True
            for inner in child.children.values():
                _place_whole(inner, parts[inner.name] or part, _class_name(child), found)
                found.sources[parts[inner.name] or part] = f"folders {inner.name}/ in the classes"
        else:
            _place_whole(child, part, _class_name(child), found)
    if not forced and not turned:
        _doubt_levels(rest, found)
        _doubt_masks(rest, found)


def _kept(node: Folder, rest: list[Folder], found: Layout, *, forced: bool) -> list[Folder]:
    """The folders without copies of all the others."""
    if forced:
        return rest
    copies = [child for child in rest if _is_copy(child, node)]
    for child in copies:
        found.ignore("copies", child)
    return [child for child in rest if child not in copies]


def _doubt_levels(rest: list[Folder], found: Layout) -> None:
    """Ask where folders in the classes may be the classes, or the classes variants of one set."""
    inner = {child.name: _real_children(child) for child in rest}
    deep = [child for child in rest if len(inner[child.name]) > 1 and not child.names]
    if not deep:
        return
    first = inner[deep[0].name]
    shared = len(deep) > 1 and all(
        2 * len(first & inner[child.name]) > max(len(first), len(inner[child.name]))
        for child in deep[1:]
    )
    inside = ", ".join(sorted(first)[:3])
    if shared:
        found.ask(
            f"{_listed(deep)} hold folders of the same names ({inside}): give one of them, such as "
            f"{deep[0].path}; or take the inner folders of all as the classes with --layout leaf, "
            "the outer ones with --layout classes"
        )
    else:
        found.ask(
            f"{deep[0].path} holds folders of its own ({inside}): --layout classes takes "
            f"{_listed(rest)} as the classes, --layout leaf the innermost folders"
        )


def _doubt_masks(rest: list[Folder], found: Layout) -> None:
    """Ask where one folder is called as masks are, and only numbers tell which image is whose."""
    for child in rest:
        others = [one for one in rest if one is not child]
        if not is_annotations(child.name) or not others:
            continue
        beside = {stem for one in others for stem in one.stems()}
        if 2 * len(child.stems() & beside) > len(child.stems()) and not any(
            child.name.lower() in one.name.lower() for one in others
        ):
            found.ask(
                f"{child.path} may hold masks of the images beside it, or be a class: --layout "
                f"classes takes {_listed(rest)} as the classes; move masks elsewhere"
            )


def _real_children(folder: Folder) -> set[str]:
    while len(folder.children) == 1 and not folder.names:
        (folder,) = folder.children.values()
    return {
        child.name
        for child in folder.children.values()
        if not _annotates(child, folder) and not is_images(child.name)
    }


def _place_whole(folder: Folder, part: str, name: str | None, found: Layout) -> None:
    """A folder and those in it, but for annotations."""
    found.placed[folder.path] = (part, name)
    for child in folder.children.values():
        if _annotates(child, folder):
            found.ignore("masks", child)
        else:
            _place_whole(child, part, name, found)


def _by_path(root: Folder, found: Layout, *, leaf: bool) -> None:
    """Parts by any word on the way, and the innermost folder as the class, or none."""

    def walk(folder: Folder, part: str, name: str | None) -> None:
        found.placed[folder.path] = (part, name if leaf else None)
        for child in folder.children.values():
            if _annotates(child, folder):
                found.ignore("masks", child)
                continue
            own = part_of_folder(child.name)
            if own is not None:
                found.sources[own] = child.path
            inner = name if own or is_images(child.name) else _class_name(child)
            walk(child, own or part, inner)

    walk(root, "train", None)
    found.classes = "names of the innermost folders" if leaf else ""
    if not leaf:
        found.doubt = "read without labels (--layout flat)"


def _no_classes(node: Folder, found: Layout) -> None:
    """Say that there are no classes; the images are then read without labels."""
    gone = tuple(path for paths in found.ignored.values() for path in paths)
    for folder in node.below():
        if folder.path not in found.placed and not (gone and folder.path.startswith(gone)):
            found.placed[folder.path] = ("train", None)
    found.doubt = found.doubt or "no class folders"


def _class_name(folder: Folder) -> str:
    return unicodedata.normalize("NFC", folder.name)


def _listed(folders: list[Folder]) -> str:
    names = [f"{folder.name}/" for folder in folders]
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
