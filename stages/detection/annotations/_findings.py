"""The kinds of faults in a data set of annotated pictures, fixed or left out (stages.training.findings)."""

from stages.training import findings
from stages.training.findings import Kind

KINDS = {
    # files and pictures
    "ignored_files": Kind("ignored", "file", " not used by this data set"),
    "orphaned": Kind("skipped", "annotation", " without a picture"),
    "broken_annotations": Kind("skipped", "annotation", " that cannot be read"),
    "unannotated": Kind("skipped", "picture", " without an annotation"),
    "unassigned": Kind("skipped", "picture", " missing from the existing split"),
    "unreadable": Kind("skipped", "unreadable picture"),
    "mismatched": Kind("skipped", "picture", " annotated at a size that does not fit"),
    "unusable": Kind("skipped", "picture", " without a usable box"),
    "repeated_pictures": Kind("dropped", "picture", " stored under two names"),
    # boxes that are dropped
    "broken_boxes": Kind("dropped", "box", " that cannot be read"),
    "unknown_classes": Kind("dropped", "box", " of an unknown class"),
    "empty_boxes": Kind("dropped", "box", " without an area"),
    "outside_boxes": Kind("dropped", "box", " outside the picture"),
    "repeated_boxes": Kind("dropped", "box", " annotated twice"),
    # what is fixed
    "swapped_boxes": Kind("fixed", "box", " with swapped corners"),
    "clipped_boxes": Kind("clipped", "box", " at the border of the picture"),
    "respelt_labels": Kind("renamed", "class", " spelt differently in upper and lower case"),
    "renamed": Kind("matched", "annotation", " by file name, because the name inside differs"),
    "unsized": Kind("used the picture's own size for", "annotation", " without a size"),
    "scaled": Kind("scaled the boxes of", "picture", " annotated at another size"),
    "rotated": Kind("rotated the boxes of", "picture", " annotated before the EXIF rotation"),
}


class Findings(findings.Findings):
    """What is wrong in a data set of annotated pictures."""

    def __init__(self) -> None:
        super().__init__(KINDS)
