"""Values outside of their range or pattern are refused in AWS's words, all at once, under both rule sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambdanb.model import errors
from lambdanb.model.configuration import PYTHON_RUNTIME, Configuration
from lambdanb.model.rules import PREVIEW_2014, RULES, TODAY, Limit, Rules
from lambdanb.model.validation import (
    ACCOUNT_CONCURRENCY,
    PROVISIONED_CONCURRENCY,
    RESERVED_CONCURRENCY,
    RESERVED_VARIABLES,
    validate,
    validate_alias_name,
    validate_concurrency,
    validate_payload_size,
    validate_qualifier,
)

GOOD = Configuration(function_name="thumbnail")
SETTINGS = ["memory_mb", "timeout_s", "tmp_mb"]


def refused(rules: Rules = TODAY, **values: Any) -> errors.ValidationException:
    with pytest.raises(errors.ValidationException) as caught:
        validate(replace(GOOD, **values), rules)
    return caught.value


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_defaults_are_allowed(rules: Rules) -> None:
    validate(GOOD, rules)


def test_aws_words() -> None:
    error = refused(memory_mb=64)
    assert error.message == (
        "1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 128"
    )
    assert (error.code, error.status, error.type) == ("ValidationException", 400, "User")
    assert "128 to 10,240 MB" in str(error) and "today" in str(error)


def test_errors_are_counted_and_joined() -> None:
    error = refused(memory_mb=64, timeout_s=901, function_name="a b")
    assert error.message == (
        "3 validation errors detected: "
        "Value 'a b' at 'functionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+; "
        "Value '64' at 'memorySize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 128; "
        "Value '901' at 'timeout' failed to satisfy constraint: "
        "Member must have value less than or equal to 900"
    )


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_both_ends_of_every_range(rules: Rules, setting: str) -> None:
    limit: Limit = getattr(rules, setting)
    for value in (limit.minimum, limit.maximum):
        values: dict[str, Any] = {setting: value}
        validate(replace(GOOD, **values), rules)
    low = refused(rules, **{setting: limit.minimum - 1})
    assert f"greater than or equal to {limit.minimum}" in low.message
    high = refused(rules, **{setting: limit.maximum + 1})
    assert f"Value '{limit.maximum + 1}' at '{limit.member}'" in high.message
    assert high.message.endswith(f"less than or equal to {limit.maximum}")


@pytest.mark.parametrize("value", [256.5, "256", True, float("nan")])
def test_what_is_no_integer(value: object) -> None:
    assert refused(memory_mb=value).message.endswith("Member must be an integer")


def test_null() -> None:
    assert "Value null at 'memorySize'" in refused(memory_mb=None).message
    assert "Value null at 'functionName'" in refused(function_name=None).message


def test_a_step_that_is_missed() -> None:
    rules = replace(TODAY, memory_mb=replace(TODAY.memory_mb, step=64))
    validate(replace(GOOD, memory_mb=192), rules)
    assert "multiple of 64" in refused(rules, memory_mb=200).message


@pytest.mark.parametrize(
    ("values", "member"),
    [
        ({"function_name": ""}, "functionName"),
        ({"function_name": "x" * 65}, "functionName"),
        ({"function_name": "name\n"}, "functionName"),
        ({"function_name": "n\u00e9"}, "functionName"),
        ({"function_name": "../../etc"}, "functionName"),
        ({"runtime": "cobol"}, "runtime"),
        ({"handler": "a handler"}, "handler"),
        ({"handler": "h" * 129}, "handler"),
        ({"role": "admin"}, "role"),
        ({"role": "arn:aws:iam::\u0661\u0662\u0663456789012:role/r"}, "role"),
        ({"description": "d" * 257}, "description"),
        ({"description": 3}, "description"),
        ({"architecture": "sparc"}, "architectures"),
        ({"snap_start": 1}, "snapStart"),
        ({"on_success": "not a function"}, "destinationConfig.onSuccess.destination"),
        ({"on_failure": ""}, "destinationConfig.onFailure.destination"),
        ({"maximum_retry_attempts": 3}, "maximumRetryAttempts"),
        ({"maximum_event_age_s": 59}, "maximumEventAgeInSeconds"),
        ({"maximum_event_age_s": 21_601}, "maximumEventAgeInSeconds"),
        ({"environment": {"1A": "x"}}, "environment.variables"),
        ({"environment": {"A-B": "x"}}, "environment.variables"),
        ({"environment": {"AB": 1}}, "environment.variables"),
        ({"environment": ["AB"]}, "environment.variables"),
        ({"keep_alive_s": -1}, "keepAlive"),
        ({"keep_alive_s": "long"}, "keepAlive"),
        ({"keep_alive_s": {"law": "pareto"}}, "keepAlive"),
        ({"keep_alive_s": {"law": ["uniform"]}}, "keepAlive"),
        ({"keep_alive_s": {"law": "exponential"}}, "keepAlive"),
        ({"keep_alive_s": {"law": "exponential", "mean_s": -1}}, "keepAlive"),
        ({"keep_alive_s": {"law": "uniform", "low_s": 9, "high_s": 8}}, "keepAlive"),
    ],
)
def test_each_member(values: dict[str, Any], member: str) -> None:
    assert f"at '{member}' failed to satisfy constraint: M" in refused(**values).message


def test_good_values_of_each_member() -> None:
    validate(
        replace(
            GOOD,
            function_name="A-z_9" * 12,
            runtime=PYTHON_RUNTIME,
            handler="app/main.handler",
            environment={"STAGE": "live", "A1": ""},
            role="arn:aws:iam::123456789012:role/service-role/x",
            description="d" * 256,
            architecture="arm64",
            snap_start=True,
            keep_alive_s={"law": "lognormal", "median_s": 600, "sigma": 0.5},
            on_success="next:live",
            on_failure="arn:aws:lambda:us-east-1:123456789012:function:failed",
            maximum_retry_attempts=0,
            maximum_event_age_s=60,
        ),
        TODAY,
    )


def test_secrets_are_not_shown_with_a_wrong_name() -> None:
    assert "hunter2" not in str(refused(environment={"MY-PASSWORD": "hunter2"}))


@pytest.mark.parametrize("name", sorted(RESERVED_VARIABLES))
def test_reserved_variables(name: str) -> None:
    with pytest.raises(errors.InvalidParameterValueException) as caught:
        validate(replace(GOOD, environment={name: "x"}), TODAY)
    assert caught.value.message == (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {name}"
    )


def test_variables_are_4_kb_at_most() -> None:
    overhead = len('{"AB":""}')
    validate(replace(GOOD, environment={"AB": "x" * (4096 - overhead)}), TODAY)
    with pytest.raises(errors.InvalidParameterValueException, match="exceeded the 4KB limit"):
        validate(replace(GOOD, environment={"AB": "x" * (4097 - overhead)}), TODAY)
    with pytest.raises(errors.InvalidParameterValueException, match="exceeded the 4KB limit"):
        validate(replace(GOOD, environment={"AB": "\u00e9" * 2100}), TODAY)


def test_alias_names_and_qualifiers() -> None:
    for name in ("live", "v1", "1a", "a" * 128):
        validate_alias_name(name)
        validate_qualifier(name)
    for name in ("1", "42", "", "$LATEST", "a b", "a" * 129):
        with pytest.raises(errors.ValidationException):
            validate_alias_name(name)
    validate_qualifier("$LATEST")
    with pytest.raises(errors.ValidationException):
        validate_qualifier("a:b")


def test_payload_sizes() -> None:
    validate_payload_size(6_291_456, TODAY)
    validate_payload_size(1_048_576, TODAY, event=True)
    with pytest.raises(errors.RequestTooLargeException) as caught:
        validate_payload_size(6_991_583, TODAY)
    assert caught.value.message == (
        "6991583 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
    )
    with pytest.raises(errors.RequestTooLargeException, match="Event invocation type"):
        validate_payload_size(1_048_577, TODAY, event=True)


def test_concurrency() -> None:
    for limit, least in ((RESERVED_CONCURRENCY, 0), (PROVISIONED_CONCURRENCY, 1), (ACCOUNT_CONCURRENCY, 1)):
        validate_concurrency(least, limit, TODAY)
        validate_concurrency(900, limit, PREVIEW_2014)
        for wrong, constraint in (
            (least - 1, f"Member must have value greater than or equal to {least}"),
            (2**31, "Member must have value less than or equal to 2147483647"),
            (True, "Member must be an integer"),
            (1.5, "Member must be an integer"),
            (None, "Member must not be null"),
        ):
            with pytest.raises(errors.ValidationException) as caught:
                validate_concurrency(wrong, limit, TODAY)
            value = "null" if wrong is None else f"'{wrong}'"
            assert caught.value.message == (
                f"1 validation error detected: Value {value} at '{limit.member}' failed to satisfy constraint: "
                f"{constraint}"
            )
            assert caught.value.hint == f"{limit.name}: {least} or more (rules: today)"
