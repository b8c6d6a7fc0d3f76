"""One job in its container, from sending its files to judging its end, in a separate thread.

A slow job therefore does not delay others. If the connection to the engine is lost, the job waits for it.
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

LEAVING_S = 0.5  # how long an engine that shuts down still responds after its containers have ended
AGAIN_S = 0.2
LOST_S = 30.0  # how long to wait for an engine whose connection was lost


class ContainerJob:
    """A running job. `say` is called once, at its end."""

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
        self._asked: float | None = None  # when the job was asked to end
        self._forced: float | None = None  # when it was first killed
        self._signal = ""
        self._is_closed = False
        self._fetch_lock = threading.Lock()  # held while fetching the stage's reports

    def begin(self, left: str | None) -> None:
        """Start the container, or continue with the one that has the id `left`; return at once."""
        threading.Thread(target=self._run, args=(left,), daemon=True).start()

    def end(self, *, force: bool) -> bool:
        """Ask the container to end, or kill it; return whether its engine responded.

        A container that does not exist yet is not created.
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
        """Return the seconds since it was first asked to end."""
        return time.monotonic() - (self._asked or time.monotonic())

    @property
    def is_immortal(self) -> bool:
        """Return whether the container still runs long after its engine was told to kill it."""
        return self._forced is not None and time.monotonic() - self._forced > LOST_S

    def lost(self, why: str) -> Ended:
        """Return the end of a job whose container engine was lost."""
        return self._over(self._machine.lost, why)

    def follow(self) -> None:
        """Start to fetch the stage's reports so far, unless a fetch is running: a slow engine must not delay
        other jobs.
        """
        if self._container is not None and self._fetch_lock.acquire(blocking=False):
            threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        try:
            self._files.follow(self._client, self._container, self._launch)
        except Exception:  # fetched the next time, or at the end
            return
        finally:
            self._fetch_lock.release()

    def close(self) -> None:
        """Remove the container, and prevent a new one."""
        self._is_closed = True
        self.end(force=True)
        self._remove()

    def _run(self, left: str | None) -> None:
        try:
            ended = self._start(left) or self._finish(self._watch())
        except (
            Exception
        ) as error:  # a bug of ours: it is reported, so that the run does not wait for ever
            traceback.print_exc()
            ended = self._over("failed", f"the executor failed: {error!r}")
        self._remove()
        if self._client is not None:
            self._files.forget(self._client, self._launch)
            self._client.close()
        self._say((self, ended))

    def _start(self, left: str | None) -> Ended | None:
        """Start the container, or find the one that an ended engine left. A refusal ends the job."""
        try:
            self._client = self._machine.connect()
        except UserError as error:
            return self.lost(refusals.message_of(error))
        try:
            if not left:
                self._container = self._made()
            else:
                with answers.sense():
                    self._container = self._client.containers.get(left)
        except Exception as error:
            return self._refused(error)
        if self._asked:
            self._kill()  # `end` was called before the container existed
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
        text = refusals.message_of(error)
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
        """Wait for the container's end, and return whether the engine was away in between.

        An engine whose connection is lost gets time to come back.
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
                time.sleep(AGAIN_S)  # an engine that aborts every call would cause a busy loop
                self._client.close()
                self._client, was_away = None, True

    def _look_at_the_engine(self) -> None:
        """Raise an exception if the container was ended by an engine that is shutting down: it ends its
        containers first, and reports a normal end.
        """
        self._container.reload()
        state = answers.state(self._container)
        if (
            state.ExitCode in (verdict.KILLED, verdict.TERMINATED)
            and not state.OOMKilled
            and not self._asked
        ):
            deadline_s = time.monotonic() + LEAVING_S
            while time.monotonic() < deadline_s:  # poll: it may be back before the deadline
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
        """Fetch the container's outputs and reports, and return how it ended."""
        try:
            self._container.reload()
            state, limits = answers.state(self._container), answers.given(self._container)
            if state.Running:  # it has not ended, but its exit status already reads 0
                return self.lost(
                    "the container engine lost track of the container, which is still running"
                )
            with self._fetch_lock:
                self._files.collect(self._client, self._container, self._launch)
        except Exception as error:
            return self._not_fetched(error)
        log_end = log_tail(self._launch.log)
        ended = verdict.ended(
            self._launch.job.stage,
            state,
            log_end,
            limits,
            lost=self._machine.lost if was_away else None,
        )
        if not ended.kind and (
            ended.status == NO_SPACE or (ended.status and "No space left on device" in log_end)
        ):
            most = options.limits(self._context)
            return verdict.no_space(ended, self._files.free_bytes(self._launch), most.tmp, most.shm)
        return ended

    def _not_fetched(self, error: Exception) -> Ended:
        from docker.errors import APIError

        text = refusals.message_of(error)
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
        except Exception as error:  # if it has ended meanwhile, its thread reports that
            return not refusals.is_gone(error)
        return True

    def _remove(self) -> None:
        if self._container is not None:
            remove(self._container)


def remove(container: Any) -> None:
    """Remove the container if its engine responds; otherwise the next run's `reclaim` removes it."""
    with suppress(Exception):
        container.remove(force=True, v=True)


def _python_path(context: ExecutorContext, image: Any) -> str:
    """Return the PYTHONPATH: the folders of stages, then the image's own."""
    given = answers.environment(image).get("PYTHONPATH")
    return os.pathsep.join([*map(str, context.roots), *([] if given is None else [given])])
