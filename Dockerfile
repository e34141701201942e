# The image contains the weights and voices, so it starts without downloads. See deploy/README.md.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/kokoro/bin:$PATH
RUN python -m venv /opt/kokoro
WORKDIR /src
# Dependencies are a layer of their own, so that a change of the code does not reinstall them.
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY kokoro_server kokoro_server
RUN pip install --no-deps .
# Alternative hub for the voices, if the default one cannot be reached.
ARG KOKORO_HUB
# Assembles the weights, downloads the voices, verifies their sha256 checksums, and fails if a check fails.
WORKDIR /tmp
RUN KOKORO_MODEL_DIR=/models kokoro-tts-api doctor --quick

FROM python:3.12-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp kokoro \
    && install -d -o kokoro -g kokoro /data
COPY --from=build /opt/kokoro /opt/kokoro
COPY --from=build /models /models
# The network is compiled for the CPU at the first start and stored here; audiobooks go into /data.
RUN install -d -o kokoro -g kokoro /models/graphs
ENV PATH=/opt/kokoro/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    KOKORO_MODEL_DIR=/models KOKORO_DATA_DIR=/data KOKORO_TEMP_DIR=/tmp/kokoro
USER 10001:10001
WORKDIR /tmp
VOLUME ["/data", "/models/graphs"]
EXPOSE 9880 10200
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["kokoro-tts-api", "health"]
ENTRYPOINT ["kokoro-tts-api"]
CMD ["serve"]
