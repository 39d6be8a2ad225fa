# Two images: `operator` (the control plane: no torch, no Ray) and `trainer` (what a ComputeProfile names).
#
#   docker build --target operator --build-arg BASE=python:3.11-slim --tag trivium/operator:0.1.0 .
#
# BASE needs Python 3.11 or newer with venv; the trainer's also bash and wget (KubeRay's probes use them). BUILDER may be another
# image with the same Python at the same path. Everything that is installed is pinned by hash. Where packages come from is
# the builder's own affair: give pip.conf and uv.toml as secrets, and no layer holds them.
ARG BASE=python:3.11-slim
ARG BUILDER=${BASE}

FROM ${BUILDER} AS builder
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
COPY requirements/bootstrap.txt requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /build/uv && /build/uv/bin/pip install --quiet --require-hashes -r requirements/bootstrap.txt
# Not in a home: whichever user the image runs as must be able to read it.
RUN /build/uv/bin/uv venv --python "$(command -v python3)" /opt/trivium
COPY . .
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    /build/uv/bin/uv build --wheel --python /opt/trivium --out-dir /build/dist \
      --build-constraints requirements/local.txt --require-hashes .

FROM builder AS operator-environment
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    /build/uv/bin/uv pip install --python /opt/trivium --compile-bytecode --require-hashes -r requirements/operator.txt \
 && /build/uv/bin/uv pip install --python /opt/trivium --compile-bytecode --no-deps /build/dist/*.whl

FROM builder AS trainer-environment
RUN --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml \
    /build/uv/bin/uv pip install --python /opt/trivium --require-hashes -r requirements/trainer.txt \
 && /build/uv/bin/uv pip install --python /opt/trivium --no-deps /build/dist/*.whl

FROM ${BASE} AS runtime
# The user has no entry in passwd, and need not: what asks for a name or a home finds it here.
ENV PATH=/opt/trivium/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp USER=trivium LOGNAME=trivium \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A login shell, as KubeRay may start one, sets PATH anew.
RUN mkdir -p /etc/profile.d && echo 'export PATH=/opt/trivium/bin:$PATH' > /etc/profile.d/trivium.sh
WORKDIR /tmp
USER 10001:10001

FROM runtime AS operator
COPY --from=operator-environment /opt/trivium /opt/trivium
ENTRYPOINT ["trivium"]
CMD ["operator"]

FROM runtime AS trainer
ENV RAY_USAGE_STATS_ENABLED=0
COPY --from=trainer-environment /opt/trivium /opt/trivium
