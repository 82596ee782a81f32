# One image for every role of the bot. Packages come with their hashes; what builds does not run.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY strategies strategies
COPY integrations integrations
COPY migrations migrations
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 \
    SLUICE_CONFIG=/etc/sluice/sluice.yaml \
    SLUICE_DATABASE_URL=sqlite+aiosqlite:////data/sluice.db \
    SLUICE_LISTEN=0.0.0.0:3000
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt && rm /tmp/requirements.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --no-deps /tmp/wheels/*.whl && rm -r /tmp/wheels \
    && useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin sluice
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:3000/healthz', timeout=4)"]
ENTRYPOINT ["sluice"]
CMD ["serve"]
