"""One job in its container, from sending its files to judging its end, in a separate thread.

A slow job therefore delays no other. If the connection to the engine is lost, the job waits for it.
"""

import os
import tarfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from engine.containers import answers, options, refusals, verdict
from engine.context import ExecutorContext
from engine.errors import UserError
from engine.interfaces import ContainerMachine
from engine.jobfolder import Ended, Launch, log_tail
from engine.placement import Placement
from engine.stage import NO_SPACE
from engine.vocabulary import FailureKind

LEAVING_S = 0.5  # how long after its containers' end an engine that shuts down still answers
AGAIN_S = 0.2
LOST_S = 30.0  # how long an engine that has gone is waited for


class ContainerJob:
    """A job at work. `say` hears of its end, once."""

    def __init__(
        self,
        launch: Launch,
        context: ExecutorContext,
        machine: ContainerMachine,
        image: Callable[[Any, Placement], Any],
        say: Callable[[tuple["ContainerJob", Ended]], None],
    ) -> None:
        self._launch, self._context, self._machine, self._image, self._say = (
            launch,
            context,
            machine,
            image,
            say,
        )
        self._files = machine.files
        self._client: Any = None
        self._container: Any = None
        self._started = time.monotonic()
        self._asked: float | None = None  # when it was asked to end
        self._forced: float | None = None  # when it was first ended by force
        self._signal = ""
        self._is_closed = False
        self._hears = threading.Lock()  # held by who brings what the stage said

    def begin(self, left: str | None) -> None:
        """Start the container, or continue with the one of this id, and return at once."""
        threading.Thread(target=self._live, args=(left,), daemon=True).start()

    def end(self, *, force: bool) -> bool:
        """Ask the container to end, or end it; say whether its engine heard.

        One that is not there yet does not come.
        """
        self._asked, self._signal = (
            self._asked or time.monotonic(),
            "SIGKILL" if force else "SIGTERM",
        )
        if force:
            self._forced = self._forced or time.monotonic()
        return self._container is not None and self._kill()

    @property
    def asked_for_s(self) -> float:
        """Return how long ago it was first asked to end."""
        return time.monotonic() - (self._asked or time.monotonic())

    @property
    def is_immortal(self) -> bool:
        """True for a container that continues long after its engine has heard to end it by force."""
        return self._forced is not None and time.monotonic() - self._forced > LOST_S

    def lost(self, why: str) -> Ended:
        """Return the end of a job whose engine has gone."""
        return self._over(self._machine.lost, why)

    def follow(self) -> None:
        """Begin to bring what the stage has said so far, unless somebody is at that: an engine that
        dawdles holds up nobody else.
        """
        if self._container is not None and self._hears.acquire(blocking=False):
            threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        try:
            self._files.follow(self._client, self._container, self._launch)
        except Exception:  # the next time, or at the end
            return
        finally:
            self._hears.release()

    def close(self) -> None:
        """Remove the container, and let none come."""
        self._is_closed = True
        self.end(force=True)
        self._remove()

    def _live(self, left: str | None) -> None:
        try:
            ended = self._start(left) or self._finish(self._watch())
        except (
            Exception
        ) as error:  # a fault of ours: it is shown, and the run does not wait for ever
            traceback.print_exc()
            ended = self._over("failed", f"the executor failed: {error!r}")
        self._remove()
        if self._client is not None:
            self._client.close()
        self._say((self, ended))

    def _start(self, left: str | None) -> Ended | None:
        """Start the container, or find the one that an ended engine left; a refusal is the job's
        end.
        """
        try:
            self._client = self._machine.connect()
        except UserError as error:
            return self.lost(refusals.said(error))
        try:
            if not left:
                self._container = self._made()
            else:
                with answers.sense():
                    self._container = self._client.containers.get(left)
        except Exception as error:
            return self._refused(error)
        if self._asked:
            self._kill()  # what `end` was told before there was a container
        return None

    def _made(self) -> Any:
        image = self._image(self._client, self._launch.job.placement)
        mounts = self._files.mounts(self._client, self._launch, lambda: self._asked is None)
        owner = options.user(os.getuid(), os.getgid())
        arguments = options.container(
            self._launch,
            self._context,
            owner,
            mounts,
            self._files.log(self._launch),
            self._machine.access(self._launch),
            _python_path(self._context, image),
            answers.info(self._client),
        )
        with answers.sense():
            container = self._client.containers.create(image.id, **arguments)
        try:
            self._files.send(self._client, container, self._launch)
            container.start()
        except BaseException:
            remove(container)
            raise
        return container

    def _refused(self, error: Exception) -> Ended:
        with suppress(Exception):
            self._files.collect(self._client, None, self._launch)
        text = refusals.said(error)
        if refusals.is_full_here(error):
            return self._over("disk_full", f"this machine's disk is full: {text}")
        if refusals.is_gone(error):
            return self.lost(f"the connection to the container engine was lost: {text}")
        kind = refusals.kind_of(text)
        return self._over(
            kind,
            text if isinstance(error, UserError) and kind == "failed" else verdict.why(kind, text),
        )

    def _watch(self) -> bool:
        """Wait for the container's end, and say whether the engine was away.

        One that has gone is given time to come back.
        """
        from docker.errors import NotFound

        was_away = False
        while True:
            try:
                if self._client is None:
                    self._client = self._connect_again()
                    self._container = self._client.containers.get(self._container.id)
                self._client.api.wait(self._container.id, timeout=None)
                self._look_at_the_engine()
                return was_away
            except (NotFound, answers.Nonsense):
                return was_away
            except Exception as error:
                if self._client is None or not refusals.is_gone(error):
                    return was_away
                time.sleep(
                    AGAIN_S
                )  # an engine that breaks every call off would keep a processor busy
                self._client.close()
                self._client, was_away = None, True

    def _look_at_the_engine(self) -> None:
        """Raise if the container was ended by an engine that goes down itself: it ends its
        containers first, and says so as if all were well.
        """
        self._container.reload()
        state = answers.state(self._container)
        if (
            state.ExitCode in (verdict.KILLED, verdict.TERMINATED)
            and not state.OOMKilled
            and not self._asked
        ):
            deadline_s = time.monotonic() + LEAVING_S
            while time.monotonic() < deadline_s:  # again and again: it may be back before that
                self._client.ping()
                time.sleep(LEAVING_S / 10)

    def _connect_again(self) -> Any:
        deadline_s = time.monotonic() + LOST_S
        while True:
            try:
                return self._machine.connect()
            except UserError:
                if time.monotonic() > deadline_s or self._is_closed:
                    raise
                time.sleep(0.5)

    def _finish(self, was_away: bool) -> Ended:
        """Bring what the container made and said, and return how it ended."""
        try:
            self._container.reload()
            state, limits = answers.state(self._container), answers.given(self._container)
            if state.Running:  # no end has been seen, and its exit status is 0 already
                return self.lost(
                    "the container engine lost track of the container, which is still running"
                )
            with self._hears:
                self._files.collect(self._client, self._container, self._launch)
        except Exception as error:
            return self._not_brought(error)
        said = log_tail(self._launch.log)
        ended = verdict.ended(
            self._launch.job.stage,
            state,
            said,
            limits,
            lost=self._machine.lost if was_away else None,
        )
        if not ended.kind and (
            ended.status == NO_SPACE or (ended.status and "No space left on device" in said)
        ):
            most = options.limits(self._context)
            return verdict.no_space(ended, self._files.free_bytes(self._launch), most.tmp, most.shm)
        return ended

    def _not_brought(self, error: Exception) -> Ended:
        from docker.errors import APIError

        text = refusals.said(error)
        if refusals.is_full_here(error):
            return self._over("disk_full", f"this machine's disk is full: {text}")
        if isinstance(error, tarfile.TarError):
            return self._over("bad_output", text)
        if isinstance(error, APIError):
            return self._over(
                "bad_output", f"the container engine does not return its outputs: {text}"
            )
        return self.lost(
            f"the container engine stopped, and did not come back with the container: {text}"
        )

    def _over(self, kind: FailureKind, why: str) -> Ended:
        return Ended(self._launch.job.stage, None, time.monotonic() - self._started, kind, why)

    def _kill(self) -> bool:
        try:
            self._container.kill(self._signal)
        except Exception as error:  # where it has ended meanwhile its thread tells
            return not refusals.is_gone(error)
        return True

    def _remove(self) -> None:
        if self._container is not None:
            remove(self._container)


def remove(container: Any) -> None:
    """Remove the container, as far as its engine hears: the next run's `reclaim` looks again."""
    with suppress(Exception):
        container.remove(force=True, v=True)


def _python_path(context: ExecutorContext, image: Any) -> str:
    """Return where Python looks for stages, and then where the image says."""
    given = answers.environment(image).get("PYTHONPATH")
    return os.pathsep.join([*map(str, context.roots), *([] if given is None else [given])])
