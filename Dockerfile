# One image for every process: docker run IMAGE listen, work, serve, deliver, migrate, or up for all of them.

FROM python:3.11-slim AS build
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
RUN /opt/nightread/bin/pip install -c constraints.txt '.[listener,worker,worklist,courier,night,adt,embedded,postgres]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin nightread \
    && install -d -o nightread -g nightread -m 700 /data
COPY --from=build /opt/nightread /opt/nightread
# Inside a container 0.0.0.0 is the container alone: which port is published is said outside.
ENV PATH=/opt/nightread/bin:$PATH \
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
