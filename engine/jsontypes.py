r"""Bounded types for the values in a run's files, used to validate events, figures and records.

Other JSON readers may support less than Python's, and text may contain characters that cannot be
encoded.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

TEXT_MOST = 10_000  # characters; longer text is cut off
_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    r"""Return text that can be encoded as UTF-8: a byte of a file name that is not UTF-8 becomes \xe9."""
    return _SURROGATE.sub(lambda found: _shown(ord(found[0])), text)


def _shown(code: int) -> str:
    is_byte = 0xDC80 <= code <= 0xDCFF  # PEP 383, surrogateescape
    return f"\\x{code - 0xDC00:02x}" if is_byte else "\N{REPLACEMENT CHARACTER}"


def _cut(text: str) -> str:
    words = well_formed(text)
    return words if len(words) <= TEXT_MOST else words[: TEXT_MOST - 4] + " ..."


_Shown = BeforeValidator(lambda value: well_formed(value) if isinstance(value, str) else value)

Text = Annotated[str, AfterValidator(_cut)]
"""A sentence."""
Label = Annotated[str, Field(max_length=250), _Shown]
"""A short text, which may be empty."""
Name = Annotated[str, Field(min_length=1, max_length=250), _Shown]
"""A name."""
Count = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""An integer that every JSON reader represents exactly: RFC 8259, section 6."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[float, Field(ge=-1e11, le=1e11, allow_inf_nan=False)]
"""Seconds since 1970."""
