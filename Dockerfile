# One image for every process: docker run IMAGE listen, work, serve, deliver, migrate, or up for all of them.

FROM python:3.11-slim-trixie AS build
# PyPI's torch brings gigabytes of CUDA libraries: give PyTorch's index of CPU builds with
# docker build --build-arg TORCH_INDEX=...
ARG TORCH_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/nightread
WORKDIR /src
COPY constraints.txt ./
RUN /opt/nightread/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    "$(grep '^torch==' constraints.txt)"
COPY . .
RUN /opt/nightread/bin/pip install -c constraints.txt '.[listener,worker,worklist,courier,night,adt,embedded,postgres,s3]'

FROM python:3.11-slim-trixie
# pg_dump and pg_restore, for nightread backup: of Debian 13, version 17, which read what 16 serves.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 nightread \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --shell /usr/sbin/nologin nightread \
    && install -d -o nightread -g nightread -m 700 /data
COPY --from=build /opt/nightread /opt/nightread
# Inside a container 0.0.0.0 is the container alone: which port is published is said outside.
# Libraries keep caches below HOME: /tmp and /data are all that is written to, and /data is shared.
ENV PATH=/opt/nightread/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    NIGHTREAD_DATA_DIR=/data \
    NIGHTREAD_DICOM_HOST=0.0.0.0 \
    NIGHTREAD_OPEN_TO_ALL=true
USER nightread
WORKDIR /data
VOLUME /data
EXPOSE 11112 8080
ENTRYPOINT ["nightread"]
CMD ["up"]
