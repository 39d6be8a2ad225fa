"""Where things lie inside the pods. The trainer reads them in its RunConfig; a laptop puts a folder before them."""

ROOT = "/trivium"
RUNS = f"{ROOT}/runs"
CONFIG = f"{ROOT}/config"
RUN_CONFIG_KEY = "run.json"
RUN_CONFIG_FILE = f"{CONFIG}/{RUN_CONFIG_KEY}"
DATA = f"{ROOT}/data"
MODEL = f"{ROOT}/model"
TOKENIZER = f"{ROOT}/tokenizer"
UPSTREAM = f"{ROOT}/upstream"
CREDENTIALS = f"{ROOT}/credentials"
TOKEN = f"{ROOT}/token"
TOKEN_FILE = f"{TOKEN}/token"
CA = f"{ROOT}/ca"
CA_KEY = "ca.crt"
CA_FILE = f"{CA}/{CA_KEY}"
SCRATCH = f"{ROOT}/scratch"
"""Emptied with the pod: HOME and every cache."""
TEMPORARY = "/tmp"  # noqa: S108 - the pod's own emptyDir, where Ray keeps its session
HUB_CACHE = f"{SCRATCH}/huggingface"
CACHE = f"{ROOT}/cache"
"""The profile's cacheClaim, where it names one."""
SHARED_HUB_CACHE = f"{CACHE}/huggingface"


def below(mount: str, path: str | None) -> str:
    """A file or folder inside a mount; the mount itself without a path."""
    return f"{mount}/{path}" if path else mount
