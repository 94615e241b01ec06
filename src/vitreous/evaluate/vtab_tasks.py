"""The 19 tasks of VTAB-1k, and what the paper's Table 9 says of each."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["natural", "specialized", "structured"]

PUBLISHED = ("ViT-H/14 JFT", "ViT-L/16 JFT", "ViT-L/16 I21k")
"""The columns of Table 9."""

MEANS = ("77.6", "76.3", "72.7")
"""The means over all tasks as Table 9 prints them, per cent, in the order of `PUBLISHED`."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: As in Table 9.
        folder: As the lists that many repositories share call it.
        group: One of three.
        classes: K.
        published: Accuracy in Table 9, per cent, in the order of `PUBLISHED`.
        home: Where the images come from.
        aliases: Other names of the folder.
        mirrors: Whether a mirrored image keeps its label, by BiT's rule for fine-tuning.
        crops: Whether a part of an image keeps its label, by the same.
    """

    name: str
    folder: str
    group: Group
    classes: int
    published: tuple[float, float, float]
    home: str
    aliases: tuple[str, ...] = ()
    mirrors: bool = True
    crops: bool = True


_CLEVR = "https://cs.stanford.edu/people/jcjohns/clevr/"
_DSPRITES = "https://github.com/google-deepmind/dsprites-dataset"
_NORB = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"

TASKS = (
    Task("Caltech101", "caltech101", "natural", 102, (95.3, 95.4, 90.8),
         "https://data.caltech.edu/records/mzrjq-6wc02"),
    Task("CIFAR-100", "cifar", "natural", 100, (85.5, 81.9, 84.1),
         "https://www.cs.toronto.edu/~kriz/cifar.html", ("cifar100",)),
    Task("DTD", "dtd", "natural", 47, (75.2, 74.3, 74.1),
         "https://www.robots.ox.ac.uk/~vgg/data/dtd/"),
    Task("Flowers102", "oxford_flowers102", "natural", 102, (99.7, 99.7, 99.3),
         "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/", ("flowers102", "flowers")),
    Task("Pets", "oxford_iiit_pet", "natural", 37, (97.2, 96.7, 92.7),
         "https://www.robots.ox.ac.uk/~vgg/data/pets/", ("oxford_iiit_pets", "pets", "pet")),
    Task("Sun397", "sun397", "natural", 397, (65.0, 63.5, 61.0),
         "https://vision.princeton.edu/projects/2010/SUN/"),
    Task("SVHN", "svhn", "natural", 10, (88.9, 87.4, 80.9),
         "http://ufldl.stanford.edu/housenumbers/", ("svhn_cropped",)),
    Task("Camelyon", "patch_camelyon", "specialized", 2, (83.3, 83.6, 82.5),
         "https://github.com/basveeling/pcam", ("pcam", "camelyon")),
    Task("EuroSAT", "eurosat", "specialized", 10, (96.7, 96.5, 95.6),
         "https://github.com/phelber/EuroSAT"),
    Task("Resisc45", "resisc45", "specialized", 45, (91.4, 89.7, 85.2),
         "https://doi.org/10.1109/JPROC.2017.2675998"),
    Task("Retinopathy", "diabetic_retinopathy", "specialized", 5, (76.6, 77.1, 75.3),
         "https://www.kaggle.com/c/diabetic-retinopathy-detection",
         ("retinopathy", "diabetic_retinopathy_detection")),
    Task("Clevr-Count", "clevr_count", "structured", 8, (91.7, 86.4, 70.3), _CLEVR,
         ("clevr_count_all",), crops=False),
    Task("Clevr-Dist", "clevr_dist", "structured", 6, (63.8, 63.1, 56.1), _CLEVR,
         ("clevr_distance", "clevr_closest_object_distance"), crops=False),
    Task("DMLab", "dmlab", "structured", 6, (53.1, 49.7, 41.9),
         "https://github.com/google-research/task_adaptation", crops=False),
    Task("dSpr-Loc", "dsprites_loc", "structured", 16, (79.4, 74.5, 74.7), _DSPRITES,
         ("dsprites_location", "dsprites_label_x_position"), mirrors=False, crops=False),
    Task("dSpr-Ori", "dsprites_ori", "structured", 16, (63.3, 60.5, 64.9), _DSPRITES,
         ("dsprites_orientation", "dsprites_label_orientation"), mirrors=False),
    Task("KITTI-Dist", "kitti", "structured", 4, (84.5, 82.2, 79.9),
         "https://www.cvlibs.net/datasets/kitti/",
         ("kitti_dist", "kitti_distance", "kitti_closest_vehicle_distance"), crops=False),
    Task("sNORB-Azim", "smallnorb_azi", "structured", 18, (33.2, 36.2, 30.5), _NORB,
         ("smallnorb_azimuth", "smallnorb_label_azimuth"), mirrors=False),
    Task("sNORB-Elev", "smallnorb_ele", "structured", 9, (51.2, 51.1, 41.7), _NORB,
         ("smallnorb_elevation", "smallnorb_label_elevation")),
)  # fmt: skip
"""In the order of Table 9.

Source: the paper's Table 9; Zhai et al. 2019, "A large-scale study of representation learning with
the Visual Task Adaptation Benchmark", arXiv 1910.04867; BiT's exceptions to crops and mirrors:
arXiv 1912.11370, section 3.3.
"""
