# The monitor in a container: built from the checkout, run as a user without rights.
# It was never built where it was written (no Docker engine there): tests/unit/test_compose.py holds
# every name in it against the code. Images are pinned by tag; pin them by digest where you deploy.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE interlock_command.py ./
COPY invariants/ invariants/
COPY detectors/ detectors/
COPY monitor/ monitor/
COPY replay/ replay/
COPY interlock/ interlock/
RUN python -m venv /opt/interlock \
 && /opt/interlock/bin/pip install --no-cache-dir --disable-pip-version-check ./interlock .

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 interlock \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin interlock \
 && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/interlock
COPY --from=build /opt/interlock /opt/interlock
ENV PATH=/opt/interlock/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/interlock
USER 10001:10001
EXPOSE 9847
ENTRYPOINT ["interlock"]
CMD ["run"]
