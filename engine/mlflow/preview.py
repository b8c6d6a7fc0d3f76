"""The report as MLflow previews it: without links to files, which do not work in its frame."""

import re
from html import escape
from pathlib import Path

_LINK = re.compile(r'<a href="(?![a-z]+:|#)[^"]*">(.*?)</a>', re.DOTALL)  # to a file beside it
_FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)


def unlinked(page: str, run_dir: Path) -> str:
    """Return the page of a report without its links to files; its footer says where they work."""
    original = "/".join([*run_dir.parts[-4:], "report.html"])  # outputs, use case, target, run
    footer = (
        f"<footer>MLflow's copy of <code>{escape(original)}</code>, without its links to files."
        " The outputs of the stages are the artifacts of this run's child runs.</footer>"
    )
    return _FOOTER.sub(lambda _: footer, _LINK.sub(r"<span>\1</span>", page))
