# exowatch in one image: the program, its libraries by hash, and a redis-server for the embedded default.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home exowatch
WORKDIR /app
COPY --from=build /venv /venv
COPY monitor monitor
COPY workers workers
COPY config config
COPY LICENSE pyproject.toml README.md ./
USER exowatch
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 EXOWATCH_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"
ENTRYPOINT ["python", "-m", "monitor"]
CMD ["run"]
