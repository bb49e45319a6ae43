# helr as a small image: `docker run -v ./helr.yaml:/etc/helr/helr.yaml:ro -v helr:/var/lib/helr IMAGE`.
# It runs as a numeric user, needs no write access but to /var/lib/helr, and its events go to
# standard output.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/helr \
    && /opt/helr/bin/pip install --no-cache-dir . \
    && /opt/helr/bin/pip uninstall --yes pip \
    && /opt/helr/bin/python -m compileall -q /opt/helr

FROM python:3.13-slim
LABEL org.opencontainers.image.title="helr" \
      org.opencontainers.image.description="Audit logs from HTTP APIs to NDJSON" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /opt/helr /opt/helr
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/helr
ENV PATH=/opt/helr/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/helr
ENTRYPOINT ["helr"]
CMD ["run", "-c", "/etc/helr/helr.yaml"]
