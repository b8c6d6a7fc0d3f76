"""Assembles a server: pipeline, hub, what follows from events, web server. The one place that does."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

from stages.serving.checked import Checked, nothing_to_watch, size_of
from stages.serving.events.capped import CappedFolder
from stages.serving.events.captures import Captures, folder_in
from stages.serving.events.changes import Changes
from stages.serving.events.clips import Clips
from stages.serving.events.hub import Hub
from stages.serving.events.mqtt import Mqtt
from stages.serving.events.snapshots import Snapshots, snapshot_name
from stages.serving.events.webhook import Webhooks
from stages.serving.interfaces import Reaction
from stages.serving.lock import storing
from stages.serving.mistakes import Mistake, Mistakes
from stages.serving.options import Options
from stages.serving.paths import absolute
from stages.serving.pipeline import machine
from stages.serving.pipeline.feed import Pipeline
from stages.serving.pipeline.launch import start
from stages.serving.pipeline.settings import Settings as PipelineSettings
from stages.serving.web import listener
from stages.serving.web.server import Server
from stages.serving.web.settings import Settings as WebSettings

POLL_S = 0.2
FAILED = 1  # exit status
Say = Callable[[str], None]
Tell = Callable[[Server, Pipeline], None]


def serve(request: Checked, stop: threading.Event, say: Say, tell: Tell) -> int:
    """Serve until `stop` is set, the time is over or the pipeline ends; return the exit status.

    tell: is called once everything runs. Raise Mistakes or StageError if it cannot start.
    """
    options, state = request.options, request.state
    settings = _web(options, state)
    listener.uses_tls(settings)  # refuses unsafe settings before anything starts
    with ExitStack() as opened:
        feed = start(request.package, options.source, _pipeline(options))
        opened.callback(feed.close)
        _check_sources(feed, options)
        _make(state)
        if options.snapshots_mb or options.clips_mb or options.captures_mb or options.samples_mb:
            opened.enter_context(storing(state))
        reactions, captures = _reactions(request, say, stop), _captures(request, feed, say)
        measure = _every(5.0, partial(_measured, feed))
        hub = Hub(feed, request.rules, reactions, [measure], snapshot_name)
        server = Server(hub, settings, captures, say)
        opened.callback(hub.start().close)
        server.start()
        opened.callback(server.close)
        tell(server, feed)
        return _wait(hub, feed, stop, options.seconds)


def _make(state: Path) -> None:
    """Make the state folder; raise Mistakes if that is not possible."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made: {error.strerror}"
        fix = "give state= a folder that you can write"
        raise Mistakes([Mistake(f"state={state}", what, fix)]) from None


def _wait(hub: Hub, feed: Pipeline, stop: threading.Event, seconds: float) -> int:
    """Return the exit status as soon as there is a reason to end."""
    end_s = time.monotonic() + seconds if seconds else float("inf")
    while not stop.wait(POLL_S):
        if feed.has_ended or not hub.is_alive:
            return FAILED
        if time.monotonic() >= end_s:
            break
    return 0


def _reactions(request: Checked, say: Say, stop: threading.Event) -> List[Reaction]:
    """Return what follows from events."""
    options, rules = request.options, request.rules
    events = request.state / "events"
    mqtt = Mqtt(request.broker, rules, say) if request.broker else None
    snapshots = CappedFolder(events, options.snapshots_mb, ".jpg", say)
    samples = CappedFolder(request.state / "samples", options.samples_mb, ".jpg", say)
    found: List[Reaction] = [Changes(say, is_stopping=stop.is_set)]
    if mqtt:
        found.append(mqtt)
    if options.snapshots_mb or options.samples_mb:
        found.append(
            Snapshots(
                snapshots if options.snapshots_mb else None,
                samples if options.samples_mb else None,
                options.samples_below,
                shown=mqtt.show if mqtt else None,
            )
        )
    if options.clips_mb:
        found.append(Clips(CappedFolder(events, options.clips_mb, ".mp4", say), rules))
    if any(one.do.webhooks for one in rules):
        found.append(Webhooks(say))
    return found


def _captures(request: Checked, feed: Pipeline, say: Say) -> Optional[Captures]:
    limit_mb = request.options.captures_mb
    return Captures(feed, folder_in(request.state, limit_mb, say)) if limit_mb else None


def _check_sources(feed: Pipeline, options: Options) -> None:
    """Raise Mistakes if the task needs a source and has none, or the other way round."""
    takes = feed.summary["takes"]
    if takes == "pictures" and not options.source:
        raise nothing_to_watch()
    if takes != "pictures" and options.source:
        what = f"the task '{feed.summary['task']}' takes {takes}, not pictures"
        raise Mistakes([Mistake("source", what, "remove source=; use the page, or POST /api/ask")])
    if takes != "pictures" and options.rules:
        what = f"rules are about pictures, but the task '{feed.summary['task']}' takes {takes}"
        raise Mistakes([Mistake(f"rules={options.rules}", what, "remove rules=")])


def _pipeline(options: Options) -> PipelineSettings:
    return PipelineSettings(
        accelerator=options.accelerator,
        runtime=options.runtime,
        threads=options.threads,
        watchdog_s=options.watchdog_s,
        fps=options.fps,
        motion=options.motion,
        source={
            "speed": options.speed,
            "loop": options.loop,
            "watch": options.watch,
            "frozen_s": options.frozen_s,
            "size": size_of(options),
            # a wish that cameras get too, so only if the user has one
            "fps": 0.0 if options.picture_s == Options.picture_s else 1.0 / options.picture_s,
        },
    )


def _web(options: Options, state: Path) -> WebSettings:
    return WebSettings(
        state=state,
        host=options.host,
        port=options.port,
        token_file=_path(options.token_file),
        tls=options.tls,
        certificate=_path(options.certificate),
        key=_path(options.key),
        names=options.names,
        snapshots=state / "events",
        fps=options.page_fps,
    )


def _path(text: str) -> Optional[Path]:
    return absolute(text) if text else None


def _measured(feed: Pipeline) -> Dict[str, float]:
    return machine.measures(feed.processes())


def _every(
    interval_s: float, measure: Callable[[], Dict[str, float]]
) -> Callable[[], Dict[str, float]]:
    """Return a function that measures at most once in this time: reading /proc and the firmware costs
    milliseconds.
    """
    lock, last = threading.Lock(), [(-interval_s, dict[str, float]())]

    def cached() -> Dict[str, float]:
        with lock:
            if time.monotonic() - last[0][0] >= interval_s:
                last[0] = (time.monotonic(), measure())
            return last[0][1]

    return cached
