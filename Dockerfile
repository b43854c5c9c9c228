# syntax=docker/dockerfile:1
# One image for every program of Fairlead. How it is built and what of it was tried: docs/how-to/build-the-image.md.
# A test runs these steps without an engine; it knows no more of this language than they use.

FROM docker.io/library/python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python3 -m venv /opt/fairlead
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/fairlead/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes --only-binary=:all: -r requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY machinery ./machinery
COPY transforms ./transforms
COPY scheduler ./scheduler
COPY syncer ./syncer
COPY control-plane ./control-plane
COPY lab ./lab
COPY cli ./cli
RUN /opt/fairlead/bin/python -m pip install --quiet --no-compile --no-deps --no-build-isolation --no-cache-dir .
# What only building needs, pip last; nothing can be installed into the image afterwards.
RUN /opt/fairlead/bin/python -m pip uninstall --quiet --yes editables hatchling pathspec pluggy tomlkit trove-classifiers \
    && /opt/fairlead/bin/python -m pip check \
    && /opt/fairlead/bin/python -m pip uninstall --quiet --yes setuptools pip
# Bytecode that depends on no file time: the root file system is read-only when it runs.
RUN /opt/fairlead/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/fairlead/lib

FROM docker.io/library/python:3.11-slim-bookworm
COPY --from=build /opt/fairlead /opt/fairlead
ENV PATH=/opt/fairlead/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /
USER 65532:65532
ENTRYPOINT ["fairlead"]
CMD ["--help"]
