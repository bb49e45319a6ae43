"""The command line: python -m mock_server. Exit 0 when stopped, 2 when it cannot start."""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from mock_server import MockSlack, Settings
from mock_server.faults import FAULTS
from mock_server.settings import DEFAULT_TOKEN, LAST_PAGES, parse_rate


def _help_of_faults() -> str:
    width = max(map(len, FAULTS)) + 2
    lines = [
        textwrap.fill(
            f"  {fault.name:{width}}{fault.help}", 96, subsequent_indent=" " * (width + 2)
        )
        for fault in FAULTS.values()
    ]
    return "\n".join(lines)


_EPILOG = f"""\
faults, for --fault (and POST /_mock/faults):
  KIND@N: the Nth request to /audit/v1/logs, from 1; KIND@N-M: the Nth to the Mth;
  KIND@N+: the Nth and all after it; KIND:P: each with probability P (seeded by --seed).

{_help_of_faults()}

example:
  python -m mock_server --events 10000 --fault 500@3 --fault reset:0.01 --rate-limit 50/min
  curl -H 'Authorization: Bearer xoxp-mock' 'http://127.0.0.1:8787/audit/v1/logs?limit=2'

While it runs, http://127.0.0.1:8787/ lists its other endpoints.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, with every fault in its help."""
    parser = argparse.ArgumentParser(
        prog="python -m mock_server",
        usage="python -m mock_server [option ...]",
        description="A mock of Slack's Audit Logs API: newest first, cursors, filters, errors.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--port", type=int, default=8787, help="port; 0 selects a free one (8787)")
    add("--port-file", metavar="FILE", help="write the port to FILE once it listens")
    add("--events", type=int, default=1000, metavar="N", help="events at the start (1000)")
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="seed; the same seed gives the same events (1)",
    )
    add("--base-time", type=int, metavar="UNIX", help="time of the newest event (now)")
    add("--live", type=float, default=0, metavar="R", help="R new events per second (0)")
    add("--token", default=DEFAULT_TOKEN, help="the token to accept (xoxp-mock); '' accepts any")
    add("--fault", action="append", default=[], metavar="KIND@N", help="see below; repeatable")
    add(
        "--rate-limit",
        metavar="N/min",
        help="such as 50/min or 5/s: N calls at once, then that rate, else 429",
    )
    add("--expire-cursors", type=float, metavar="S", help="cursors expire after S seconds")
    add("--latency", type=float, default=0, metavar="MS", help="answer after MS milliseconds")
    add(
        "--last-page",
        choices=LAST_PAGES,
        default="empty",
        help="next_cursor of the last page (empty)",
    )
    add("--gzip", action="store_true", help="compress for clients that accept it")
    add("--tls", nargs=2, metavar=("CERT", "KEY"), help="serve HTTPS with these PEM files")
    add("--request-log", metavar="FILE", help="append one line of JSON per request; - is stderr")
    return parser


def _checked(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Settings:
    """The settings; ends with status 2 and a message when one makes no sense."""
    for name in ("events", "live", "latency", "expire_cursors", "base_time"):
        if (getattr(args, name) or 0) < 0:
            parser.error(f"--{name.replace('_', '-')} must not be negative")
    if not 0 <= args.port <= 65535:
        parser.error("--port must be from 0 to 65535")
    try:
        if args.rate_limit:
            parse_rate(args.rate_limit)
    except ValueError as error:
        parser.error(str(error))
    return Settings(
        latency_ms=args.latency,
        rate_limit=args.rate_limit,
        cursor_lifetime=args.expire_cursors,
        gzip=args.gzip,
        last_page=args.last_page,
    )


def _fail(message: str) -> int:
    print(f"mock_server: {message}", file=sys.stderr)
    return 2


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    parser = build_parser()
    args = parser.parse_args(arguments)
    settings = _checked(parser, args)
    with ExitStack() as stack:
        log: IO[str] | None = None
        try:
            if args.request_log:
                log = sys.stderr
                if args.request_log != "-":
                    log = stack.enter_context(Path(args.request_log).open("a", encoding="utf-8"))
            mock = MockSlack(
                args.events,
                args.seed,
                args.token,
                base_time=args.base_time,
                live=args.live,
                faults=args.fault,
                settings=settings,
                host=args.host,
                port=args.port,
                tls=tuple(args.tls) if args.tls else None,
                request_log=log,
            )
        except ValueError as error:
            return _fail(str(error))
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            return _fail(
                f"cannot listen on {args.host}:{args.port}: {what}{error.strerror or error}"
            )
        return _serve(mock, args)


def _serve(mock: MockSlack, args: argparse.Namespace) -> int:
    if args.port_file:
        try:
            Path(args.port_file).write_text(mock.url.rpartition(":")[2] + "\n")
        except OSError as error:
            return _fail(f"cannot write {args.port_file}: {error.strerror}")
    shown = len(mock.ids())
    print(f"mock_server: {mock.url} serves {shown} events; stop with Ctrl-C", file=sys.stderr)
    mock.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
