"""The hub and URIs: references become commits and local files; refusals and silence become failures.

The hub here is a small HTTP server on this machine that answers the four requests the client makes; the client is the
real one.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
from huggingface_hub import constants

from trivium_trainer import layout
from trivium_trainer.config import DataSource, HubSource, Model, Source
from trivium_trainer.data.prepared import open_prepared
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.prepare.hub import _literal

pytestmark = pytest.mark.slow

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Repositories by (type, name) -> files; /api for metadata, /resolve for content."""

    def do_GET(self):
        self._answer(send=True)

    def do_HEAD(self):
        self._answer(send=False)

    def _answer(self, *, send):
        self.server.seen.append((self.path, self.headers.get("authorization")))
        path = self.path.split("?")[0].strip("/")
        for (kind, repo), files in self.server.repos.items():
            prefix = "" if kind == "model" else f"{kind}s/"
            if path in {f"api/{kind}s/{repo}/revision/main", f"api/{kind}s/{repo}/revision/{COMMIT}"}:
                siblings = [{"rfilename": name} for name in files]
                return self._send(json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode(), send=send)
            if path.startswith(f"api/{kind}s/{repo}/tree/{COMMIT}"):
                tree = [
                    {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                    for name, body in files.items()
                ]
                return self._send(json.dumps(tree).encode(), send=send)
            root = f"{prefix}{repo}/resolve/{COMMIT}/"
            if path.startswith(root) and path.removeprefix(root) in files:
                return self._send(files[path.removeprefix(root)], send=send)
        if "/gated" in path:
            return self._send(b"{}", send=send, status=403, error="GatedRepo")
        if "/revision/" in path and any(repo in path for _, repo in self.server.repos):
            return self._send(b"{}", send=send, status=404, error="RevisionNotFound")
        return self._send(b"{}", send=send, status=404, error="RepoNotFound")

    def _send(self, body, *, send, status=200, error=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error is not None:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if send:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.repos, server.seen = {}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def hub_data(**fields):
    return DataSource(name="train[0]", source=Source(hub=HubSource(repo="org/rows", **fields)))


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_data_and_model_of_the_hub_are_pinned_to_their_commits(machine, rows, hub, base_model):
    hub.repos["dataset", "org/rows"] = {
        "README.md": b"# rows",
        "train.jsonl": lines(rows(8)),
        "test.jsonl": lines(rows(3)),
    }
    hub.repos["model", "org/base"] = {path.name: path.read_bytes() for path in base_model.iterdir()} | {
        "pytorch_model.bin": b"pickle",
        "original/params.json": b"{}",
    }
    model = Model(source=Source(hub=HubSource(repo="org/base")))
    config = machine.job("sft", train=[hub_data()], model=model)
    inspection = machine.prepare(config)
    assert (inspection.sources[0].rows, inspection.sources[0].revision) == (8, COMMIT)
    prepared = open_prepared(config)
    assert prepared.model_dir.parent == machine.prepared / "models"
    assert sorted(path.name for path in prepared.model_dir.glob("*") if path.is_file()) == sorted(
        path.name for path in base_model.iterdir()
    )
    inputs = json.loads(layout.run_directory(config).stage("prepare").inputs.read_text())
    assert inputs["train"][0]["revision"] == inputs["model"]["revision"] == COMMIT
    assert not any("test.jsonl" in path or "pytorch_model.bin" in path for path, _ in hub.seen)
    assert {authorization for _, authorization in hub.seen} == {None}
    # A later attempt asks for the recorded commit, whatever main is now.
    hub.seen.clear()
    (machine.prepared / inspection.prepared_key / "manifest.json").unlink()
    assert machine.prepare(config) == inspection
    assert not any("revision/main" in path for path, _ in hub.seen)


def test_the_jobs_own_token_is_sent(machine, rows, hub):
    hub.repos["dataset", "org/rows"] = {"train.jsonl": lines(rows(8))}
    (machine.root / "trivium/credentials").mkdir()
    (machine.root / "trivium/credentials/hub").write_text("hf_secret\n")
    machine.prepare(machine.job("sft", train=[hub_data(credential_file="/trivium/credentials/hub")]))
    assert {authorization for _, authorization in hub.seen} == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("repo", "revision", "reason"),
    [
        ("org/none", "main", "HubRepositoryNotFound"),
        ("org/rows", "v9", "HubRevisionNotFound"),
        ("org/gated", "main", "HubAccessDenied"),
        ("not a name", "main", "HubRepositoryNotFound"),
    ],
)
def test_what_the_hub_refuses_is_the_users_error(machine, rows, hub, repo, revision, reason):
    hub.repos["dataset", "org/rows"] = {"train.jsonl": lines(rows(8))}
    source = DataSource(name="train[0]", source=Source(hub=HubSource(repo=repo, revision=revision)))
    with pytest.raises(TrainingError) as caught:
        machine.prepare(machine.job("sft", train=[source]))
    assert (caught.value.failure_class, caught.value.reason) == (FailureClass.USER_ERROR, reason)
    assert caught.value.message.startswith(f"data.train[0].from.hub: {repo}@{revision}")


def test_a_hub_that_does_not_answer_is_the_infrastructures_failure(machine, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(TrainingError) as caught:
        machine.prepare(machine.job("sft", train=[hub_data()]))
    error = caught.value
    assert (error.failure_class, error.reason) == (FailureClass.INFRASTRUCTURE, "HubUnreachable")
    assert error.message == (
        "data.train[0].from.hub: org/rows@main could not be read: the hub did not answer (ConnectError)."
    )
    assert error.remedy.startswith("The job tries again; check the cluster's way to the hub")


def test_a_name_is_asked_for_as_it_is():
    assert _literal("train[0]*.jsonl") == "train[[]0][*].jsonl"


def test_files_behind_a_uri_are_fetched_through_its_file_system(machine, rows, base_model):
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/rows/a.jsonl", lines(rows(4)))
    memory.pipe("/bucket/rows/deep/b.jsonl", lines(rows(3)))
    for path in base_model.iterdir():
        memory.pipe(f"/bucket/base/{path.name}", path.read_bytes())
    source = DataSource(name="train[0]", source=Source(uri="memory://bucket/rows"))
    config = machine.job("sft", train=[source], model=Model(source=Source(uri="memory://bucket/base")))
    inspection = machine.prepare(config)
    assert inspection.train_examples == 7
    assert open_prepared(config).model_dir.parent == machine.prepared / "models"
    single = DataSource(name="train[0]", source=Source(uri="memory://bucket/rows/a.jsonl"))
    assert machine.prepare(machine.job("sft", uid="b", train=[single])).train_examples == 4


@pytest.mark.parametrize(
    ("uri", "failure_class", "message"),
    [
        ("nosuch://bucket/rows", FailureClass.USER_ERROR, "the trainer image has no file system for nosuch."),
        ("simplecache::memory://x", FailureClass.USER_ERROR, "simplecache::memory://x chains file systems."),
        ("memory://empty/rows", FailureClass.DATA_ERROR, "memory://empty/rows"),
    ],
)
def test_a_uri_that_cannot_be_read_is_named(machine, uri, failure_class, message):
    source = DataSource(name="train[0]", source=Source(uri=uri))
    with pytest.raises(TrainingError) as caught:
        machine.prepare(machine.job("sft", train=[source]))
    assert caught.value.failure_class is failure_class
    assert caught.value.message.startswith("data.train[0].from.uri: ")
    assert message in caught.value.message
