"""helr: audit logs from HTTP APIs to NDJSON on standard output, without losing one."""

__version__ = "0.1.0"
