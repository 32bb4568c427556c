# exowatch in one image: the program, its libraries by hash (those for Parquet, assistants and traces among them), and a redis-server
# for the embedded default.
# It runs as nobody's user, with a read-only root: what it writes goes to /data and /tmp.
FROM python:3.11-slim AS build
COPY requirements-image.lock /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements-image.lock \
    && /venv/bin/pip uninstall --yes pip
COPY monitor /app/monitor
COPY workers /app/workers
RUN /venv/bin/python -m compileall -q /app

FROM python:3.11-slim
LABEL org.opencontainers.image.title="exowatch" \
    org.opencontainers.image.description="Hears public posts, finds the claims in them, and alerts once for each new unsupported claim" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
RUN apt-get update \
    && apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 exowatch \
    && useradd --system --uid 10001 --gid exowatch --home-dir /data --shell /usr/sbin/nologin exowatch \
    && install -d -o exowatch -g exowatch -m 700 /data
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY config config
COPY LICENSE pyproject.toml README.md ./
USER 10001:10001
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 EXOWATCH_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "monitor.alive"]
ENTRYPOINT ["python", "-m", "monitor"]
CMD ["run"]
