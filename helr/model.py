"""What a checked helr.yaml says, as plain frozen values. Defaults live in the schema.

Durations are in seconds, sizes in bytes, unless a name says otherwise. Dotted paths
(`response_metadata.next_cursor`) are kept as strings, as the user wrote them.

Structs, as a dataclass of this kind costs a millisecond of every cold start to define.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

TIMEOUT_SECS = 30  # resilience.timeout_secs unless configured


class State(Struct, frozen=True):
    backend: str = "sqlite"  # sqlite | memory
    path: str = "./helr-state.db"


class GlobalConfig(Struct, frozen=True):
    log_level: str = "info"  # trace | debug | info | warn | error
    log_format: str = "pretty"  # json | pretty
    state: State = State()
    settle_secs: float = 0  # global.output.settle_secs
    label_key: str = "source"  # in helr's own log lines; a source has its own
    label_value: str = "helr"


class Schedule(Struct, frozen=True):
    interval_secs: float = 60
    jitter_secs: float = 0


class Auth(Struct, frozen=True):
    """`type` names the module in helr/auth that reads `options`."""

    type: str  # bearer, basic, api_key
    options: dict[str, Any]  # bearer: token_env, token_file, prefix


class Pagination(Struct, frozen=True):
    """`strategy` names the module in helr/pagination that reads `options`; the rest is the same for
    every strategy (helr/pagination/ends.py)."""

    strategy: str = "none"
    max_pages: int = 100
    options: dict[str, Any] = field(default_factory=dict)  # cursor: cursor_param, cursor_path …
    more_path: str | None = None
    more_value: str | None = None
    end: str | None = None  # no_next | empty_page | short_page; None: what the strategy has
    keep: bool = False
    limit: int | None = None


class Timeouts(Struct, frozen=True):
    connect_secs: float
    request_secs: float
    read_secs: float
    idle_secs: float | None = None
    poll_tick_secs: float | None = None


class Retries(Struct, frozen=True):
    max_attempts: int = 3
    initial_backoff_secs: float = 1
    max_backoff_secs: float = 60
    multiplier: float = 2
    jitter: float = 0.1
    retryable_status_codes: frozenset[int] | None = None  # None: 408, 429 and 5xx


class CircuitBreaker(Struct, frozen=True):
    enabled: bool = True
    failure_threshold: int = 5
    success_threshold: int = 2
    half_open_timeout_secs: float = 60
    reset_timeout_secs: float | None = None
    failure_rate_threshold: float | None = None
    minimum_requests: int | None = None


class RateLimit(Struct, frozen=True):
    respect_headers: bool = True
    page_delay_secs: float = 0
    max_requests_per_second: float | None = None
    burst_size: int | None = None
    adaptive: bool = False
    limit_header: str = "X-RateLimit-Limit"
    remaining_header: str = "X-RateLimit-Remaining"
    reset_header: str = "X-RateLimit-Reset"


class Tls(Struct, frozen=True):
    ca_file: str | None = None
    ca_env: str | None = None
    ca_only: bool = False
    client_cert_file: str | None = None
    client_cert_env: str | None = None
    client_key_file: str | None = None
    client_key_env: str | None = None
    min_version: str | None = None  # "1.2" | "1.3"


class Resilience(Struct, frozen=True):
    timeouts: Timeouts
    retries: Retries = Retries()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    rate_limit: RateLimit = RateLimit()
    tls: Tls = Tls()


class IncrementalFrom(Struct, frozen=True):
    state_key: str
    event_timestamp_path: str
    param_name: str
    lookback_secs: float = 0


class Dedupe(Struct, frozen=True):
    id_path: str | tuple[str, ...]  # several: the id is all of them together
    capacity: int = 100_000

    @property
    def id_paths(self) -> tuple[str, ...]:
        return (self.id_path,) if isinstance(self.id_path, str) else self.id_path


class ErrorRule(Struct, frozen=True):
    """`then`: what the answer is when the value at `path` equals one of `equals`, or, without
    these, is false (`falsy`) or true."""

    path: str
    then: str  # error | refused_token | rate_limited | retry | empty
    equals: tuple[str, ...] = ()
    falsy: bool = False


class Transform(Struct, frozen=True):
    timestamp_field: str | None = None
    id_field: str | None = None


class Source(Struct, frozen=True):
    name: str
    url: str
    resilience: Resilience
    label_key: str = "source"
    label_value: str = ""  # the source's name unless configured
    headers: dict[str, str] = field(default_factory=dict)
    query_params: dict[str, str] = field(default_factory=dict)
    first_request_query_params: dict[str, str] = field(default_factory=dict)
    schedule: Schedule = Schedule()
    auth: Auth | None = None
    pagination: Pagination = Pagination()
    incremental_from: IncrementalFrom | None = None
    dedupe: Dedupe | None = None
    transform: Transform = Transform()
    response_events_path: str | None = None
    error_rules: tuple[ErrorRule, ...] = ()
    max_bytes: int | None = None
    max_response_bytes: int = 268_435_456
    max_response_values: int = 1_000_000
    max_line_bytes: int | None = None
    max_line_bytes_behavior: str = "fail"  # truncate | skip | fail
    cookies: str = "none"  # none | chain
    on_cursor_error: str = "fail"  # reset | fail
    on_parse_error: str = "fail"  # skip | skip_event | fail
    on_invalid_utf8: str = "fail"  # replace | escape | fail
    allow_insecure: bool = False
    from_environment: tuple[str, ...] = ()  # values of variables that may be secrets


class Config(Struct, frozen=True):
    path: str
    globals: GlobalConfig
    sources: dict[str, Source]
    notices: tuple[str, ...] = ()  # lines to say once: accepted but ignored keys and the like
    warnings: tuple[str, ...] = ()  # what would lose events, when these values are new
