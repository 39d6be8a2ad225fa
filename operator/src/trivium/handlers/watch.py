"""Kopf as a watcher, and as nothing else: every event is handed on, and nothing is written.

    Kopf's thread and loop                          the controller's loop
    list, watch, relist, back off ──on.event──────> controller.on_event      (store, work queue)
                                  ──listed again──> controller.resync        (who vanished meanwhile)

Kopf emits no DELETED for what vanished while a watch was broken: an object that is listed when it was known already
means that Kopf has listed anew, and that we have to as well.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import kopf

from trivium.handlers.settings import OperatorSettings
from trivium.kube.client import Connection
from trivium.kube.served_kinds import LEASE, SERVED_KINDS, ServedKind
from trivium.store import WATCHED_KINDS

_SERVER_SECONDS = 300
"""A watch is asked for anew this often, whatever the server's own limit is."""
_BACKOFFS = (1, 1, 2, 3, 5, 8, 13, 21, *(30,) * 20)
"""Ten minutes of errors, then Kopf gives up and the process ends: a fresh one may do better."""

OnEvent = Callable[[str | None, dict[str, Any]], None]

_log = logging.getLogger(__name__)


class Watcher:
    """Runs Kopf in a thread of its own. The callbacks are called on the loop that `start` was called on."""

    def __init__(
        self,
        settings: OperatorSettings,
        connection: Connection,
        *,
        on_event: OnEvent,
        on_relist: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._on_event = on_event
        self._on_relist = on_relist
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listed: set[tuple[str, str]] = set()
        self.last_event = time.monotonic()
        """Local monotonic seconds of the last event of any kind, the Lease's renewals included."""

    def start(self) -> None:
        """Begin to watch. Call it from the loop that the events are for."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """End Kopf; returns when its thread is gone, or after ten seconds."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, 10)

    def _run(self) -> None:
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(),
                    settings=_kopf_settings(self._settings),
                    clusterwide=not self._settings.namespaces,
                    namespaces=self._watched_namespaces(),
                    standalone=True,
                    stop_flag=self._stop,
                )
            )
        except Exception:  # noqa: BLE001 - whatever it is, the process must end and say so
            _log.exception("the watches ended")
        finally:
            if not self._stop.is_set():
                self._call(self._on_end)

    def _watched_namespaces(self) -> tuple[str, ...]:
        """With the operator's own, where the Lease is."""
        named = self._settings.namespaces
        return (*named, *({self._settings.namespace} - set(named))) if named else ()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._log_in)
        for kind in (*(SERVED_KINDS[name] for name in WATCHED_KINDS), LEASE):
            if not (self._settings.namespaces and not kind.namespaced):
                kopf.on.event(kind.group or "", kind.version, kind.plural, id=kind.kind, registry=registry)(
                    self._handler(kind)
                )
        return registry

    def _log_in(self, **_: Any) -> kopf.ConnectionInfo:
        """Asked again after each 401: the client reads a rotated token from its file."""
        access = self._connection.access()
        return kopf.ConnectionInfo(
            server=access.server,
            ca_path=access.ca_file,
            scheme="Bearer" if access.token else None,
            token=access.token,
            certificate_path=access.certificate_file,
            private_key_path=access.key_file,
        )

    def _handler(self, kind: ServedKind) -> Callable[..., Any]:
        async def handle(event: Any, **_: Any) -> None:
            self.last_event = time.monotonic()
            if kind is LEASE:
                return  # the holder renews it every two seconds: the heartbeat of the watches
            raw = event["object"]
            manifest = {**raw, "apiVersion": kind.api_version, "kind": kind.kind}
            self._call(self._on_event, event["type"], manifest)
            self._notice_relist(kind, event["type"], str(raw["metadata"]["uid"]))

        return handle

    def _notice_relist(self, kind: ServedKind, event_type: str | None, uid: str) -> None:
        known = (kind.kind, uid)
        if event_type == "DELETED":
            self._listed.discard(known)
        elif event_type is None and known in self._listed:
            self._listed.clear()  # once for all that is listed now
            self._call(self._on_relist)
        else:
            self._listed.add(known)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None, "start comes first"
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            _log.info("an event came after the end")  # the loop is closed


def _kopf_settings(settings: OperatorSettings) -> kopf.OperatorSettings:
    ours = kopf.OperatorSettings()
    ours.peering.standalone = True
    ours.posting.enabled = False
    ours.scanning.disabled = bool(settings.namespaces)
    ours.networking.connect_timeout = 10
    ours.networking.request_timeout = 60
    ours.networking.error_backoffs = _BACKOFFS
    ours.watching.server_timeout = _SERVER_SECONDS
    ours.watching.client_timeout = _SERVER_SECONDS + 30
    ours.watching.connect_timeout = 10
    ours.queueing.idle_timeout = 0.1
    # Nothing is stored; if a handler ever were, it would be under our own name.
    ours.persistence.finalizer = "trivium.dev/unused"
    ours.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="trivium.dev")
    for kind in SERVED_KINDS.values():
        if kind.selector:
            ours.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.selector
    ours.watching.field_selectors[LEASE.group, LEASE.version, LEASE.plural] = f"metadata.name={settings.lease_name}"
    return ours
