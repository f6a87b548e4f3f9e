# Siaga as an image: every part, and the broker, is this one with another command (deploy/compose, deploy/kubernetes).
#
#   docker build --build-arg BASE=debian:trixie-slim@sha256:… --build-arg VERSION=0.1.0 --tag siaga:0.1.0 .
#
# The tag of the base moves with Debian's security updates; a release gives the digest it was built on (docs/deployment.md).
# What comes from PyPI is held by the hashes in deploy/image, what comes from npm by those in its lock file.
ARG BASE=debian:trixie-slim

# hadolint ignore=DL3006
FROM ${BASE} AS python
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/*

FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
WORKDIR /src
COPY deploy/image/*.txt deploy/image/
# pip stays here: what runs has none.
RUN python3 -m venv /opt/tools \
 && /opt/tools/bin/pip install --require-hashes --no-deps --requirement deploy/image/build.txt \
 && python3 -m venv --without-pip /opt/siaga \
 && /opt/tools/bin/pip --python /opt/siaga/bin/python install --require-hashes --no-deps --requirement deploy/image/requirements.txt
COPY . .
RUN /opt/tools/bin/python -m api.vendor \
 && /opt/tools/bin/python -m hatchling build --target wheel \
 && /opt/tools/bin/pip --python /opt/siaga/bin/python install --no-index --no-deps dist/*.whl \
 && /opt/tools/bin/pip --python /opt/siaga/bin/python check \
 && install -m 0444 deploy/image/healthy.py /opt/siaga/ \
 && install -m 0555 deploy/image/broker.sh /opt/siaga/

FROM python
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="Siaga" \
      org.opencontainers.image.description="Backend on which a regency watches its streetlights, rivers and roads" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# Its number is part of the interface: whoever mounts files for it needs it. Volumes take over who owns these folders.
RUN groupadd --gid 10001 siaga \
 && useradd --uid 10001 --gid siaga --home-dir /var/lib/siaga --no-create-home --shell /usr/sbin/nologin siaga \
 && install -d -m 0750 -o siaga -g siaga /var/lib/siaga /var/lib/siaga/broker /backups
COPY --from=build /opt/siaga /opt/siaga
# Nothing is written but to volumes and /tmp, so the root may be read only.
ENV PATH=/opt/siaga/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SIAGA_API_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/siaga
EXPOSE 8800
# Of the API; other parts say in HEALTH_URL where they answer.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["/opt/siaga/bin/python", "-IS", "/opt/siaga/healthy.py"]
# No init before it: the parts end on SIGTERM by themselves and leave no children behind.
ENTRYPOINT ["/opt/siaga/bin/siaga"]
CMD ["--help"]
