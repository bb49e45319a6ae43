"""Every key that Helr documents is accepted, ignored with a notice, or refused with a reason.

The list is Helr's (its README and docs), not ours: a key that is missing from our schema
would come out as unknown here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.config.conftest import Load, Problems

TAKEN = [
    "global.log_level=info",
    "global.log_format=json",
    "global.source_label_key=service",
    "global.source_label_value=x",
    "global.state.backend=sqlite",
    "global.state.path=./x.db",
    "method=get",
    "source_label_key=origin",
    "source_label_value=y",
    "schedule.interval_secs=300",
    "schedule.jitter_secs=30",
    "headers.Accept=application/json",
    "max_bytes=1000000",
    "dedupe.id_path=id",
    "dedupe.capacity=10000",
    "transform.timestamp_field=published",
    "transform.id_field=uuid",
    "cookies=chain",
    "on_cursor_error=reset",
    "from=2024-01-01T00:00:00Z",
    "from_param=since",
    "query_params.limit=100",
    "on_parse_error=skip",
    "max_response_bytes=1000000",
    "on_invalid_utf8=escape",
    "max_line_bytes=100000",
    "max_line_bytes_behavior=skip",
    "checkpoint=per_page",
    "on_state_write_error=fail",
    "incremental_from.state_key=oldest_ts",
    "incremental_from.event_timestamp_path=date_create",
    "incremental_from.param_name=oldest",
    "response_events_path=data.edges",
    "auth.type=bearer",
    "auth.token_file=token",
    "auth.prefix=SSWS",
    "pagination.strategy=cursor",
    "pagination.cursor_param=cursor",
    "pagination.cursor_path=next",
    "pagination.max_pages=50",
    "resilience.timeout_secs=30",
    "resilience.timeouts.connect_secs=5",
    "resilience.timeouts.request_secs=30",
    "resilience.timeouts.read_secs=20",
    "resilience.timeouts.idle_secs=60",
    "resilience.timeouts.poll_tick_secs=600",
    "resilience.retries.max_attempts=0",
    "resilience.retries.initial_backoff_secs=2",
    "resilience.retries.max_backoff_secs=60",
    "resilience.retries.multiplier=2.0",
    "resilience.retries.jitter=0.1",
    "resilience.retries.retryable_status_codes=[429]",
    "resilience.circuit_breaker.enabled=true",
    "resilience.circuit_breaker.failure_threshold=5",
    "resilience.circuit_breaker.success_threshold=2",
    "resilience.circuit_breaker.minimum_requests=20",
    "resilience.circuit_breaker.half_open_timeout_secs=60",
    "resilience.circuit_breaker.reset_timeout_secs=120",
    "resilience.circuit_breaker.failure_rate_threshold=0.5",
    "resilience.rate_limit.respect_headers=true",
    "resilience.rate_limit.page_delay_secs=1",
    "resilience.rate_limit.headers.limit_header=X-L",
    "resilience.rate_limit.headers.remaining_header=X-R",
    "resilience.rate_limit.headers.reset_header=X-S",
    "resilience.rate_limit.max_requests_per_second=10.0",
    "resilience.rate_limit.burst_size=5",
    "resilience.rate_limit.adaptive=true",
    "resilience.tls.ca_file=token",
    "resilience.tls.ca_only=true",
    "resilience.tls.client_cert_file=token",
    "resilience.tls.client_key_file=token",
    "resilience.tls.min_version='1.2'",
]

IGNORED = [
    "global.state.url=redis://x",
    "global.api.enabled=true",
    "global.api.address=0.0.0.0",
    "global.api.port=8080",
    "global.metrics.enabled=true",
    "global.metrics.address=0.0.0.0",
    "global.metrics.port=9090",
    "global.reload.restart_sources_on_sighup=true",
    "global.dump_on_sigusr1.destination=file",
    "global.dump_on_sigusr1.path=/tmp/x",
    "global.bulkhead.max_concurrent_sources=4",
    "global.bulkhead.max_concurrent_requests=2",
    "global.load_shedding.skip_priority_below=5",
    "global.output.http.batch_size=100",
    "global.output.http.headers.Authorization=x",
    "global.output.nats.subject=helr.events",
    "global.backpressure.enabled=true",
    "global.backpressure.detection.event_queue_size=1",
    "global.backpressure.strategy=drop",
    "global.backpressure.drop_policy=oldest_first",
    "global.backpressure.max_queue_age_secs=1",
    "global.backpressure.disk_buffer.path=/tmp/x",
    "global.degradation.state_store_fallback=memory",
    "global.degradation.emit_without_checkpoint=true",
    "global.degradation.reduced_frequency_multiplier=2.0",
    "global.audit.enabled=true",
    "global.audit.log_credential_access=true",
    "global.hooks.enabled=true",
    "global.hooks.path=./hooks",
    "global.hooks.timeout_secs=5",
    "global.hooks.allow_network=true",
    "priority=5",
    "resilience.bulkhead.max_concurrent_requests=1",
    "response_streaming=full",
    "checkpoint=end_of_tick",
    "on_state_write_error=skip_checkpoint",
]

REFUSED = """
global.state.backend=redis global.state.backend=postgres method=post body={} body={limit: 5}
hooks.script=a.js hooks.script_inline=x response_event_object_path=node
auth.type=oauth2 auth.type=google_service_account
""".replace("limit: 5", "limit:5").split()


def put(tree: dict[str, Any], setting: str) -> None:
    name, _, value = setting.partition("=")
    path = name.split(".") if name.startswith("global.") else ["sources", "a", *name.split(".")]
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = yaml.safe_load(value)


def config(*settings: str) -> str:
    tree: dict[str, Any] = {"sources": {"a": {"url": "https://api.example.com/logs"}}}
    for setting in settings:
        put(tree, setting)
    return yaml.safe_dump(tree, sort_keys=False)


def test_what_means_the_same_is_taken_in_silence(loaded: Load, write: Any) -> None:
    write("")
    Path("token").write_text("xoxp-x")
    assert loaded(config(*TAKEN)).notices == ()


def test_the_other_spelling_of_the_watermark(loaded: Load) -> None:
    text = config("state.watermark_field=id.time", "state.watermark_param=t", "state.state_key=w")
    assert loaded(text).notices == ()


@pytest.mark.parametrize("setting", IGNORED)
def test_what_changes_nothing_is_said_once(loaded: Load, setting: str) -> None:
    config_ = loaded(config(setting))
    assert len(config_.notices) == 1
    assert config_.notices == loaded(config(setting)).notices, "on every start"
    line = config_.notices[0]
    place, path, rest = line.split(": ", 2)
    assert place.startswith("helr.yaml:")
    assert setting.startswith(path.removeprefix("sources.a."))
    assert rest.startswith("ignored: ")
    assert len(rest) > 30


def test_what_is_switched_off_is_not_worth_a_word(loaded: Load) -> None:
    settings = ("global.api.enabled=false", "global.metrics.enabled=false")
    assert loaded(config(*settings)).notices == ()


@pytest.mark.parametrize("setting", REFUSED)
def test_what_would_lose_or_misread_events_is_refused(problems: Problems, setting: str) -> None:
    found = problems(config(setting))
    assert len(found) == 1
    assert "unknown" not in found[0]
    path = setting.partition("=")[0].partition(".script")[0]
    assert path.removesuffix(".strategy").removesuffix(".type") in found[0]
    assert len(found[0].split(": ", 2)[2]) > 40


def test_keys_beside_a_refused_one_are_not_called_unknown(problems: Problems) -> None:
    found = problems(
        config(
            "auth.type=oauth2",
            "auth.token_url=https://e.com",
            "auth.client_id_env=ID",
            "auth.client_secret_env=S",
            "auth.scopes=[a]",
            "pagination.strategy=offset",
            "pagination.offset_param=o",
            "pagination.limit_param=l",
            "pagination.limit=5",
        )
    )
    assert [line.split(": ")[1] for line in found] == ["sources.a.auth"]
