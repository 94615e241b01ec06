"""Names of a table's columns, as people give them: in small letters, their words joined by `_`."""

PATHS = (
    "path file filename file_name filepath file_path image image_path img_path image_file "
    "image_filename img_name image_name img fname filenames images photo picture image_id img_id "
    "imageid image_index isic_id id_code id name"
).split()
"""Names of columns of image paths, the surest first."""

LABELS = (
    "label class target category labels tags classes class_name label_name category_name "
    "class_label true_label ground_truth choice choices species breed diagnosis dx disease "
    "emotion variety finding_labels attribute_ids level fine_label coarse_label genus family "
    "superclass class_id classid category_id label_id class_idx class_index y"
).split()
"""Names of columns of labels, the surest first."""

PLURAL = frozenset(
    "labels tags classes categories attributes finding_labels findings attribute_ids keywords "
    "diseases label_names class_names".split()
)
"""Names that speak of several labels an image."""

PARTS = frozenset("part split subset partition set usage phase data_set dataset_split".split())
"""Names of columns of parts."""

MUST_BE_PARTS = frozenset("part split subset partition".split())
"""Names of columns that hold parts and nothing else."""

FLAG_PARTS = {
    "is_valid": ("validation", "train"),
    "is_val": ("validation", "train"),
    "is_validation": ("validation", "train"),
    "valid": ("validation", "train"),
    "is_test": ("test", "train"),
    "is_train": ("train", "test"),
    "is_training": ("train", "test"),
}
"""Columns of yes and no -> the parts that yes and no mean."""

GROUPS = frozenset(
    stem + end
    for stem in "patient subject person participant lesion case study slide video sequence clip "
    "scene group individual animal specimen".split()
    for end in ("", "_id", "id", "_name", "_no", "_number")
)
"""Names of columns of what images belong to together."""

NO_CLASSES = frozenset(
    "index idx no number row fold kfold folds sex gender age age_approx date time datetime "
    "timestamp year month day url link width height w h x y xmin ymin xmax ymax bbox size "
    "filesize count num total area iscrowd hash md5 comment comments note notes source license "
    "view side weight confidence quality score annotator annotation_id lead_time rle "
    "encoded_pixels encodedpixels".split()
)
"""Names of columns that are never classes."""

BARE_PARTS = {
    "train": ("train", "test"),
    "test": ("test", "train"),
    "val": ("validation", "train"),
}
"""The same, of names that may be classes where no column of labels is there."""
