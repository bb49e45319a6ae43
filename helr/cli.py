"""The command line: runs the command, and returns its exit status (EXIT_STATUS)."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from helr import __version__, numbers
from helr.errors import HelrError, LackingError, OutputGoneError, PollError, Problem, UnusableError

_HELP = ("-h", "--help")
_VERSION = ("-V", "--version")

EXIT_STATUS = """exit status:
  0  every poll succeeded, or a helr without --once was stopped by a signal
  1  a source failed, or was skipped because of an open circuit breaker or a Retry-After
  2  the command line, config, a secret or the output file cannot be used; nothing was polled
  3  another helr holds the source or the output file
  4  the output's reader went away, or the output can no longer be written
  5  the state cannot be used now (disk full, locked, read-only), or memory, threads or open
     files ran out: a restart may help
  130, 143  run --once was interrupted (SIGINT, SIGTERM) before its polls were finished
  128+n  ended by a second signal, n
"""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser, from which README's help texts are generated.

    `command`: build only this command, since building all of them takes longer than parsing a page.
    """
    common = _common(after=True)
    parser = _parser(
        _Parser,
        prog="helr",
        description="Collect audit logs from HTTP APIs and write each event as one line of JSON.",
        epilog="examples:\n  helr init && helr validate\n  helr test --source slack-audit\n"
        "  helr run --once\n\nThe default command is run. `helr help COMMAND` shows a command's"
        " options,\n`helr help` lists the pages of the documentation.\n\n" + EXIT_STATUS,
        parents=[_common(after=False)],
    )
    parser.add_argument(*_VERSION, action="version", version=f"helr {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in [command] if command in _COMMANDS else _COMMANDS:
        summary, example, add = _COMMANDS[name]
        add(_command(commands, name, summary, example, common))
    return parser


class _UsageError(Exception):
    """A command line that this parser cannot parse."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.parser = parser


class _Parser(argparse.ArgumentParser):
    """Lets `_parse` report what is wrong; the commands' parsers are of this class too."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(self, message)


def _number_of(what: Callable[..., Any], least: float, most: float) -> Callable[[str], Any]:
    """A type for argparse: a number within bounds, as helr.numbers parses it."""

    def read(text: str) -> Any:
        found = what(text, least=least, most=most)
        if found is None:
            kind = "a whole number" if what is numbers.whole else "a number"
            message = f"must be {kind} from {least} to {most}, not {text[:40]!r}"
            raise argparse.ArgumentTypeError(message)
        return found

    return read


_RUN_EXAMPLE = """  helr run                                  # to standard output, until stopped
  helr run --once --source slack-audit      # a single poll, for cron or CI
  helr run -o /var/log/helr/events.ndjson   # each line exactly once
  helr run -o events.ndjson --output-rotate size:100 --output-keep 10
  helr run --once --record-dir ./recordings && helr run --once --replay-dir ./recordings"""
_STATE_EXAMPLE = """  helr state show slack-audit
  helr state set slack-audit oldest_ts 1521214343
  helr state export > state.json"""
_SOURCES: dict[str, Any] = {
    "metavar": "NAME",
    "nargs": "+",
    "action": "extend",
    "default": [],
    "help": "only these sources",
}
_FORMAT: dict[str, Any] = {
    "choices": ("text", "json"),
    "default": "text",
    "help": "output format (default: text)",
}


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--once", action="store_true", help="poll each source once, then exit")
    run.add_argument("--source", **_SOURCES)
    run.add_argument(
        "-o", "--output", metavar="FILE", help="append to FILE instead of standard output"
    )
    run.add_argument(
        "--output-rotate",
        metavar="WHEN",
        help="daily, or size:N (megabytes): rename FILE to FILE.YYYY-MM-DD[.N] and start a new one",
    )
    run.add_argument(
        "--output-keep",
        metavar="N",
        type=_number_of(numbers.whole, 0, 10**9),
        help="delete all but the last N renamed files",
    )
    recordings = run.add_mutually_exclusive_group()
    recordings.add_argument(
        "--record-dir",
        metavar="DIR",
        help="with --once: save every response to DIR, without secrets",
    )
    recordings.add_argument(
        "--replay-dir",
        metavar="DIR",
        help="with --once: replay responses from DIR: no network, no saved state, no delays",
    )


def _add_validate(validate: argparse.ArgumentParser) -> None:
    validate.add_argument("--source", **_SOURCES)
    validate.add_argument("--format", **_FORMAT)


def _add_test(test: argparse.ArgumentParser) -> None:
    test.add_argument("--source", metavar="NAME", required=True, help="the source to fetch from")
    test.add_argument("--once", action="store_true", help="ignored: it is always a single page")


def _add_status(status: argparse.ArgumentParser) -> None:
    status.add_argument("--source", **_SOURCES)
    status.add_argument(
        "--max-age",
        metavar="SECS",
        type=_number_of(numbers.number, 0, 10**12),
        help="exit with status 1 if a source's last success is older than this",
    )
    status.add_argument("--format", **_FORMAT)


def _add_help(help_: argparse.ArgumentParser) -> None:
    help_.add_argument(
        "topic", metavar="TOPIC", nargs="?", help="a page of the documentation, or a command"
    )
    help_.add_argument("section", metavar="SECTION", nargs="?", help="a section of that page")


def _add_nothing(command: argparse.ArgumentParser) -> None:
    pass


def _add_state(state: argparse.ArgumentParser) -> None:
    actions = state.add_subparsers(dest="action", metavar="ACTION", title="actions")
    common = _common(after=True)

    def action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return _command(actions, name, summary, f"  {example}", common)

    show = action("show", "show the state of a source", "helr state show slack-audit")
    reset = action(
        "reset",
        "delete the state of a source, so its next poll starts from the beginning",
        "helr state reset slack-audit",
    )
    reset.add_argument(
        "--hold", action="store_true", help="delete only its Retry-After and circuit breaker"
    )
    set_ = action("set", "set a key of a source", "helr state set slack-audit oldest_ts 1521214343")
    for parser in (show, reset, set_):
        parser.add_argument("source", metavar="SOURCE")
    set_.add_argument("key", metavar="KEY", help="cursor, or the source's state_key")
    set_.add_argument("value", metavar="VALUE")
    action("export", "print the state of all sources as JSON", "helr state export > state.json")
    action(
        "import",
        "replace the state of the sources in the JSON on standard input",
        "helr state import < state.json",
    )


# Name: summary, example, the function that adds its options.
_COMMANDS: dict[str, tuple[str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("collect events from all sources, or from selected ones", _RUN_EXAMPLE, _add_run),
    "validate": (
        "check the config without contacting any API",
        "  helr validate -c helr.yaml",
        _add_validate,
    ),
    "test": (
        "fetch a source's next page and print it, without changing any state",
        "  helr test --source slack-audit | head -3",
        _add_test,
    ),
    "status": (
        "show each source's last success, its position, and anything blocking it",
        "  helr status --max-age 900 || alert",
        _add_status,
    ),
    "init": (
        "write a commented helr.yaml for Slack, without overwriting any file",
        "  helr init",
        _add_nothing,
    ),
    "state": ("show or change the saved state of a source", _STATE_EXAMPLE, _add_state),
    "help": (
        "print a page of the documentation; without TOPIC, list the topics",
        "  helr help slack\n  helr help configuration auth | less",
        _add_help,
    ),
}


def _command(
    among: Any, name: str, summary: str, example: str, common: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    return _parser(
        among.add_parser,
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n{example}",
        parents=[common],
    )


def _parser(make: Any, *args: Any, **more: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = make(
        *args, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **more
    )
    return parser


def _common(*, after: bool) -> argparse.ArgumentParser:
    """Options allowed before or after the command; after it, their absence overrides nothing."""
    common = argparse.ArgumentParser(add_help=False)
    default: Any = argparse.SUPPRESS if after else "helr.yaml"
    common.add_argument(
        "-c", "--config", metavar="FILE", default=default, help="the config (default: helr.yaml)"
    )
    off: Any = argparse.SUPPRESS if after else False
    how_much = common.add_mutually_exclusive_group()
    for short, long, text in (
        ("-v", "--verbose", "log more (debug)"),
        ("-q", "--quiet", "log only warnings and errors"),
    ):
        how_much.add_argument(short, long, action="store_true", default=off, help=text)
    common.add_argument(
        "--dry-run",
        action="store_true",
        default=off,
        help="only check the config, as `helr validate` does",
    )
    return common


def entry() -> NoReturn:
    """The `helr` command. It ends the process without tearing down the interpreter, which takes a
    tenth of the time of an idle poll; everything that must be written has been by then."""
    try:
        status = main()
    except SystemExit as error:  # argparse: --help, --version, a bad command line
        status = error.code if isinstance(error.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status, with no traceback for a user's mistakes."""
    _fill_standard_descriptors()
    try:
        args = _parse(sys.argv[1:] if argv is None else list(argv))
        if sys.stdout is None and args.command != "run":  # a run checks for itself
            raise UnusableError("standard output is closed, so nothing can be printed")
        status = _dispatch(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except HelrError as error:
        return _fail(error)
    except OSError as error:  # from printing by a command only: for events, see helr.output
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            return _unforeseen(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return OutputGoneError.exit_status  # as in `helr test … | head`
        return _fail(OutputGoneError(str(error.strerror), where="standard output"))
    except Exception as error:  # noqa: BLE001 - a defect, or a shortage
        return _unforeseen(error)
    return status


def _fill_standard_descriptors() -> None:
    """Open closed ones, or the next file opened, such as the state, would get their number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters that the locale lacks are escaped
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line. Raises UnusableError, SystemExit (--help, --version)."""
    command, rest = _named(words)
    if command == "help":
        topic = [word for word in rest if not word.startswith("-")]
        if topic and topic[0] in _COMMANDS:
            words, command = [*topic, "--help"], topic[0]
    if command and command not in (*_COMMANDS, *_HELP, *_VERSION):
        from helr import usage

        parser = build_parser("run")
        raise _usage_error(parser, usage.unknown_command(command, _COMMANDS))
    parser = build_parser(command or "run")
    words = list(words) if command else ["run", *words]
    try:
        args, left = parser.parse_known_args(words)
    except _UsageError as error:
        from helr import usage

        raise _usage_error(error.parser, usage.explain(str(error), words)) from None
    if left:
        from helr import usage

        used = _used(parser, args)
        raise _usage_error(used, usage.unexpected(used, left))
    return args


def _usage_error(parser: argparse.ArgumentParser, problem: Problem) -> UnusableError:
    return UnusableError(problem.what, where=f"{parser.format_usage()}{parser.prog}", do=problem.do)


def _used(parser: argparse.ArgumentParser, args: argparse.Namespace) -> argparse.ArgumentParser:
    """The parser of the command, or of the action of `state`, that was given."""
    for name in filter(None, (args.command, getattr(args, "action", None))):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parser = action.choices[name]
    return parser


def _named(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The command among the words, or --help or --version in its place, and the words after it.
    "" means `run`, which may be omitted, with or without its options."""
    words = iter(argv)
    for word in words:
        value = re.fullmatch(r"-[vq]*c(.*)|--config(=.*)?", word, re.DOTALL)
        if value:
            if not (value[1] or value[2]):
                next(words, None)
        elif not word.startswith("-") or word in (*_HELP, *_VERSION):
            return word, list(words)
        elif not re.fullmatch(r"-[vq]+|--(verbose|quiet|dry-run)", word):
            break
    return "", []


def _unforeseen(error: Exception) -> int:
    """Report a shortage, or a defect with its traceback, each in one line."""
    from helr import log, shortages

    shortage = shortages.advice(error)
    if shortage:
        return _fail(LackingError(shortage.what, do=shortage.do))
    log.defect(error)
    return PollError.exit_status


def _fail(error: HelrError) -> int:
    """Report it in the log, or plainly before there is one (a bad command line or config)."""
    from helr import log

    for line in str(error).splitlines():
        log.last_word(line)
    return error.exit_status


def _dispatch(args: argparse.Namespace) -> int:
    """Run the command, importing only what it needs."""
    if args.command == "help":
        from helr.commands import help as help_

        commands = {name: summary for name, (summary, *_) in _COMMANDS.items()}
        return help_.run(args.topic, args.section, commands)
    if args.command == "validate" or args.dry_run:
        from helr.commands import validate

        if args.command != "validate":
            return validate.dry_run(args.config, args.command, _sources(args))
        return validate.run(args.config, output_format=args.format, sources=args.source)
    if args.command == "init":
        from helr.commands import init

        return init.run(args.config)
    if args.command == "status":
        from helr.commands import status

        config = _load(args, args.source, replay=True)
        return status.run(config, max_age=args.max_age, output_format=args.format)
    if args.command == "state":
        if args.action is None:
            build_parser("state").parse_args(["state", "--help"])  # raises SystemExit(0)
        from helr.commands import state

        options = {k: v for k, v in vars(args).items() if k in ("source", "key", "value", "hold")}
        return state.run(_load(args, replay=True), args.action, **options)
    if args.command == "test":
        from helr.commands import test

        return test.run(_load(args, [args.source], writes=False), args.source)
    return _run(args)


def _sources(args: argparse.Namespace) -> list[str]:
    """The sources given on the command line."""
    named: list[str] | str = getattr(args, "source", [])
    return [named] if isinstance(named, str) else named


def _run(args: argparse.Namespace) -> int:
    from helr.signals import Stopping
    from helr.startup import import_msgspec

    stopping = Stopping(once=args.once)
    import_msgspec()
    from helr.commands import run
    from helr.output.open import check_path

    for option in ("output", "record_dir"):
        if getattr(args, option) is not None:
            check_path(option, getattr(args, option))
    if args.output == "-":
        args.output = None

    rotation = None
    if args.output_rotate is not None or args.output_keep is not None:
        from helr.output.rotation import parse

        rotation = parse(args.output_rotate, args.output_keep)
    live = None
    if args.once and not args.quiet and sys.stderr is not None and sys.stderr.isatty():
        from helr import terminal

        live = terminal.begin(sys.stderr, args.output)
    options = run.Options(
        args.once, args.source, args.output, rotation, args.record_dir, args.replay_dir
    )
    config = _load(args, args.source, replay=args.replay_dir is not None, stream=live)
    return run.run(config, options, stopping, live)


def _load(
    args: argparse.Namespace,
    sources: Sequence[str] = (),
    *,
    replay: bool = False,
    writes: bool = True,
    stream: Any = None,
) -> Any:
    """Load the config, and set up the log according to it and the command line.

    `replay`: the command needs no secrets. `writes`: it writes the state file. `stream`: where the
    log goes, instead of standard error.
    """
    from helr import log
    from helr.config import load

    config = load(args.config, sources=sources, replay=replay, writes=writes)
    if any(stat.S_ISREG(os.fstat(fd).st_mode) for fd in (1, 2)):
        from helr.output import own_files

        own_files.check_standard(config)
    level = config.globals.log_level
    if args.verbose:
        level = min(level, "debug", key=log.LEVELS.__getitem__)
    if args.quiet:
        level = max(level, "warn", key=log.LEVELS.__getitem__)
    log.setup(
        level,
        config.globals.log_format,
        label_key=config.globals.label_key,
        label_value=config.globals.label_value,
        stream=stream,
    )
    own_log = log.for_source("")
    for notice in config.notices:
        own_log.info("%s", notice)
    for warning in config.warnings:
        own_log.warning("%s", warning)
    return config
