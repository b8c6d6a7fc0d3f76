"""Questions to the model, and captured frames: what viewers may send."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from engine.stage import StageError
from stages.serving.web.request import Refused, Request
from stages.serving.web.response import Response, as_json

if TYPE_CHECKING:
    from stages.serving.interfaces import Captures, Feed

ANSWER_S = 10.0
MOST_CHARACTERS = 2000  # of a sentence
_MOST_NAME = 64  # of a conversation, or a class
_JPEG = b"\xff\xd8\xff"


class Questions:
    """Passes on what viewers send, in a few threads, because the answers take time."""

    def __init__(self, feed: Feed, captures: Optional[Captures], threads: int = 4) -> None:
        self._feed, self._captures = feed, captures
        self._pool = ThreadPoolExecutor(threads, "web-question")

    async def ask(self, request: Request) -> Response:
        """Return the model's answer to a sentence, a row or a JPEG picture."""
        takes = self._feed.summary["takes"]
        if takes == "pictures":
            return await self._answer(_picture(request), "")
        data = _data(request)
        conversation = str(data.get("conversation", ""))
        if len(conversation) > _MOST_NAME:
            raise Refused(422, f"a conversation's name has at most {_MOST_NAME} characters")
        if takes == "sentences":
            return await self._answer(_sentence(data), conversation)
        if takes == "rows":
            return await self._answer(_row(data), conversation)
        raise Refused(422, f"this model takes {takes}, which cannot be sent to it here")

    async def capture(self, request: Request) -> Response:
        """Save the newest frame of a source under a class name."""
        if self._captures is None:
            raise Refused(
                403, "captures are off: start the server with captures_mb=100 to allow them"
            )
        data = _data(request)
        source, label = data.get("source"), data.get("label")
        if source not in self._feed.summary["sources"]:
            raise Refused(422, "there is no such source")
        if not isinstance(label, str) or not 0 < len(label.strip()) <= _MOST_NAME:
            raise Refused(422, f"a class name has 1 to {_MOST_NAME} characters")
        return as_json(await self._run(self._captures.save, source, label.strip()))

    def labels(self) -> Optional[List[str]]:
        """Return the class names for captures, or None if captures are off."""
        return self._captures.labels() if self._captures else None

    def close(self) -> None:
        """End the threads, without waiting for answers."""
        self._pool.shutdown(wait=False)

    async def _answer(self, raw: Any, conversation: str) -> Response:
        answer = await self._run(self._feed.ask, raw, conversation, ANSWER_S)
        return as_json({"answer": answer})

    async def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, function, *args)
        except StageError as error:
            raise Refused(422, str(error)) from None
        except TimeoutError:
            raise Refused(504, "the model did not answer in time") from None


def _picture(request: Request) -> bytes:
    if _type(request) != "image/jpeg" or not request.body.startswith(_JPEG):
        raise Refused(415, "this model takes pictures: send a JPEG file as image/jpeg")
    return request.body


def _data(request: Request) -> Dict[str, Any]:
    # Another site's page cannot send this type without asking first (CORS), which is never allowed.
    if _type(request) != "application/json":
        raise Refused(415, "send JSON as application/json")
    try:
        data = json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(data, dict):
        raise Refused(422, "the body is not a JSON object")
    return data


def _sentence(data: Mapping[str, Any]) -> str:
    text = data.get("sentence")
    if not isinstance(text, str) or not text.strip():
        raise Refused(422, 'send {"sentence": "..."}')
    if len(text) > MOST_CHARACTERS:
        raise Refused(422, f"a sentence has at most {MOST_CHARACTERS} characters")
    return text


def _row(data: Mapping[str, Any]) -> Dict[str, Any]:
    row = data.get("row")
    plain = (str, int, float, bool, type(None))
    if not isinstance(row, dict) or not all(isinstance(cell, plain) for cell in row.values()):
        raise Refused(422, 'send {"row": {"column": value, ...}}')
    return row


def _type(request: Request) -> str:
    return request.header("content-type").partition(";")[0].strip().lower()
