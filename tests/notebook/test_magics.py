"""`%%lambda` and `%lambda`: what they take, what they do, and what they say to a mistake."""

from __future__ import annotations

import os
import shlex
from typing import Any

import boto3
import pytest
from IPython.core.error import UsageError

import lambdanb
from lambdanb.client.tables import Table
from lambdanb.model.errors import ValidationException

ECHO = "def lambda_handler(event, context):\n    return event\n"


def test_a_cell_becomes_a_function(run: Any, shell: Any) -> None:
    function = run(f"%%lambda echo --memory 256\n{ECHO}")
    assert shell.user_ns["echo"] is function
    assert run('echo({"a": [1, None]})') == {"a": [1, None]}
    assert lambdanb.get("echo").source.endswith(ECHO)


def test_every_setting_has_an_option(run: Any) -> None:
    run(f"%%lambda other\n{ECHO}")
    run(
        "%%lambda all --memory 512 --timeout 7 --tmp 600 --env STAGE=test --env 'WORDS=a b=c' --snap-start "
        "--handler lambda_function.handle --description 'two words' --keep-alive 90.5 --on-success other "
        "--on-failure other --retries 1 --max-age 120 --reserved 3 --provisioned 1 "
        "--role arn:aws:iam::123456789012:role/mine\n"
        "handle = print"
    )
    described = lambdanb.get("all").description
    configuration = described["configuration"]
    assert (configuration["memory_mb"], configuration["timeout_s"], configuration["tmp_mb"]) == (512, 7, 600)
    assert configuration["environment"] == {"STAGE": "test", "WORDS": "a b=c"}
    assert configuration["handler"] == "lambda_function.handle"
    assert configuration["description"] == "two words"
    assert configuration["snap_start"] is True
    assert configuration["keep_alive_s"] == 90.5
    assert (configuration["on_success"], configuration["on_failure"]) == ("other", "other")
    assert (configuration["maximum_retry_attempts"], configuration["maximum_event_age_s"]) == (1, 120)
    assert configuration["role"] == "arn:aws:iam::123456789012:role/mine"
    assert described["reserved_concurrency"] == 3
    assert described["provisioned_concurrency"] == {"1": 1}
    run("%lambda configure all --reserved none --no-snap-start --on-success none --timeout 8")
    described = lambdanb.get("all").description
    assert described["reserved_concurrency"] is None
    assert described["configuration"]["on_success"] is None
    assert described["configuration"]["timeout_s"] == 8
    assert described["configuration"]["memory_mb"] == 512


def test_a_distribution_for_keep_alive(run: Any) -> None:
    run(f"""%%lambda echo --keep-alive '{{"law": "exponential", "mean_s": 60}}'\n{ECHO}""")
    kept = lambdanb.get("echo").description["configuration"]["keep_alive_s"]
    assert kept == {"law": "exponential", "mean_s": 60}


def test_the_body_is_never_options(run: Any) -> None:
    run("%%lambda plain\n--1\n'--memory 512 {x} $y'\ndef lambda_handler(event, context):\n    return '{event} $HOME'\n")
    assert lambdanb.get("plain").description["configuration"]["memory_mb"] == 128
    assert run("plain()") == "{event} $HOME"


def test_a_name_that_python_cannot_have(run: Any, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(f"%%lambda my-first-1\n{ECHO}")
    assert shell.user_ns["my_first_1"].name == "my-first-1"
    assert "my_first_1" in capsys.readouterr().out
    run(f"%%lambda class\n{ECHO}")
    assert shell.user_ns["class_"].name == "class"


def test_a_name_that_was_something_else(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("import json")
    run(f"%%lambda json\n{ECHO}")
    assert "json was a module" in capsys.readouterr().out


def test_a_plain_lambda_stays_python(run: Any) -> None:
    assert run("(lambda x: x + 1)(1)") == 2
    assert run("lambda x: x")(3) == 3


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (f"%%lambda echo --memroy 512\n{ECHO}", ("--memroy", "did you mean --memory?", "--timeout")),
        (f"%%lambda echo --mem 512\n{ECHO}", ("--mem", "--memory")),
        (f"%%lambda echo --memory lots\n{ECHO}", ("--memory", "lots")),
        (f"%%lambda echo --env STAGE\n{ECHO}", ("--env STAGE=test", "'STAGE'")),
        (f"%%lambda echo --keep-alive long\n{ECHO}", ("'long'", "exponential")),
        (f"%%lambda echo --trigger s3://photos/*.jpg\n{ECHO}", ("'--trigger'", "--timeout")),
        (f"%%lambda echo second\n{ECHO}", ("'second'",)),
        (f"%%lambda --memory 512\n{ECHO}", ("NAME", "usage")),
        (f"%%lambda echo --description 'open\n{ECHO}", ("quotes",)),
        ("%lambda lst", ("'lst'", "did you mean list?", "invoke")),
        ("%lambda show thumbnial", ("'thumbnial'", "did you mean thumbnail?")),
        ("%lambda rm zzz", ("'zzz'", "thumbnail")),
        ("%lambda show thumbnail:live", ("'live'", "$LATEST")),
        ("%lambda invoke thumbnail {key: 1", ("{key: 1", "JSON")),
        ("%lambda invoke thumbnail $phto", ("'phto'", "did you mean photo?")),
        ("%lambda invoke thumbnail 1 2", ("'2'", "one event")),
        ("%lambda invoke thumbnail --async --dry-run", ("--dry-run: not allowed with argument --async",)),
        ("%lambda logs thumbnail -n 0", ("'0' is not a whole number, 1 or more",)),
        ("%lambda logs thumbnail -x", ("'-x'", "--follow")),
        ("%lambda configure thumbnail", ("--memory 512",)),
        ("%lambda rules preview-2015", ("preview-2014",)),
        ("%lambda alias thumbnail live 1 --weight 2", ("2=0.1",)),
        ("%lambda help lgos", ("logs",)),
    ],
)
def test_a_mistake_names_the_choices(run: Any, fail: Any, cell: str, told: tuple[str, ...]) -> None:
    run(f"%%lambda thumbnail\n{ECHO}")
    run("photo = 1")
    error, shown = fail(cell)
    assert type(error) is UsageError
    for words in told:
        assert words in shown
    assert [function.name for function in lambdanb.functions()] == ["thumbnail"]


def test_a_value_out_of_range_is_told_in_aws_words(fail: Any) -> None:
    error, shown = fail(f"%%lambda echo --memory 64\n{ECHO}")
    assert isinstance(error, ValidationException)
    assert "Value '64' at 'memorySize' failed to satisfy constraint" in shown
    assert "128 to 10,240 MB" in shown
    assert "connection.py" not in shown


def test_a_syntax_error_is_shown_before_anything_is_deployed(fail: Any) -> None:
    error, shown = fail("\n\n%%lambda echo\nx = 1\ndef lambda_handler(event, context)\n    return 1\n")
    assert isinstance(error, SyntaxError)
    assert error.lineno == 5
    assert "line 5" in shown
    assert "def lambda_handler(event, context)" in shown
    assert "magics.py" not in shown
    assert lambdanb.functions() == []


def test_what_is_no_syntax_of_a_module(fail: Any) -> None:
    error, _ = fail("%%lambda echo\nreturn 1\n")
    assert isinstance(error, SyntaxError)
    assert error.lineno == 2


def test_a_null_byte_is_told_with_its_line(fail: Any) -> None:
    error, shown = fail("%%lambda echo\nx = 1\ny = '\0'\n")
    assert type(error) is UsageError
    assert "a null byte in line 3" in shown


def test_a_syntax_error_elsewhere_is_shown_as_ever(fail: Any) -> None:
    _, shown = fail("compile('x x', 'elsewhere', 'exec')")
    assert "compile('x x'" in shown
    assert "SyntaxError" in shown


def test_the_list_of_functions(run: Any) -> None:
    assert "%%lambda NAME" in run("%lambda").text()
    run(f"%%lambda echo --memory 256\n{ECHO}")
    table = run("%lambda list")
    assert isinstance(table, Table)
    assert table.rows[0][:3] == ("echo", "256 MB", "3 s")


def test_invoke_from_a_line(run: Any) -> None:
    run(f"%%lambda echo\n{ECHO}")
    run("photo = {'key': 'cat.jpg'}")
    assert run('%lambda invoke echo {"a": {"b": [1, "x y"]}}').payload == {"a": {"b": [1, "x y"]}}
    assert run("%lambda invoke echo {photo}").payload == {"key": "cat.jpg"}
    assert run("%lambda invoke echo $photo").payload == {"key": "cat.jpg"}
    assert run("%lambda invoke echo {photo['key']}").payload == "cat.jpg"
    assert run("""%lambda invoke echo '{"a":1}'""").payload == {"a": 1}
    assert run('%lambda invoke echo {"--cold":1} --cold').payload == {"--cold": 1}
    assert run("%lambda invoke echo").payload is None
    cold = run("%lambda invoke echo 5 --cold")
    assert (cold.payload, cold.record.cold) == (5, True)
    assert run("%lambda invoke --async echo 5").status_code == 202
    assert run("%lambda invoke echo --dry-run").status_code == 204


def test_versions_and_aliases(run: Any) -> None:
    run("%%lambda number\ndef lambda_handler(event, context):\n    return context.function_version\n")
    assert run("%lambda publish number --description first").qualifier == "1"
    assert run("%lambda alias number live 1").qualifier == "live"
    assert run("%lambda invoke number:live").payload == "1"
    assert run("%lambda invoke number --qualifier 1").payload == "1"
    assert run("%lambda invoke number").payload == "$LATEST"
    run("%lambda rm number:live")
    assert lambdanb.get("number").description["aliases"] == []
    run("%lambda rm number")
    assert lambdanb.functions() == []


def test_an_alias_shows_its_own_arn(run: Any) -> None:
    run(f"%%lambda echo\n{ECHO}")
    run("%lambda publish echo")
    run("%lambda alias echo live 1")
    for qualifier in ("live", "1"):
        function = lambdanb.get("echo", qualifier)
        assert function.description["arn"] == function.arn
        assert function.arn.endswith(f":function:echo:{qualifier}")
    assert lambdanb.get("echo").description["arn"] == lambdanb.get("echo").arn


def test_help_tells_the_settings(run: Any, fail: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """In an empty cell IPython itself refuses `%%lambda --help`, and points at `%lambda`."""
    _, shown = fail("%%lambda --help")
    assert "Did you mean the line magic %lambda" in shown
    run("%lambda --help")
    overview = capfd.readouterr().out
    assert "--memory, " in overview
    assert "%lambda help %%lambda" in overview
    run("%lambda help %%lambda")
    assert "memory, 128 to 10,240 MB" in capfd.readouterr().out


def test_logs(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("%%lambda talk\ndef lambda_handler(event, context):\n    print('said', event)\n")
    first = run("%lambda invoke talk 1")
    run("%lambda invoke talk 2")
    capsys.readouterr()
    run("%lambda logs talk -n 3")
    assert "said 2\nEND" in capsys.readouterr().out
    run(f"%lambda logs talk --request {first.request_id}")
    shown = capsys.readouterr().out
    assert "said 1" in shown
    assert "said 2" not in shown


def test_rules_and_limits(run: Any) -> None:
    assert {"memory", "timeout"} <= {row[0] for row in run("%lambda limits").rows}
    assert dict(run("%lambda rules").rows)["rules"] == "today"
    changed = dict(run("%lambda rules preview-2014 --concurrency 10").rows)
    assert (changed["rules"], changed["memory"]) == ("preview-2014", "128 to 1,024 MB")
    assert changed["concurrency"].startswith("10 ")


def test_help(run: Any, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("%lambda help")
    assert "%lambda logs" in capsys.readouterr().out
    run("%lambda help invoke")
    run("%lambda invoke --help")
    assert capsys.readouterr().out.count("--dry-run") >= 2
    run("%%lambda --help\npass")
    assert "--memory MB" in capsys.readouterr().out
    assert "--memory MB" in shell.find_cell_magic("lambda").__doc__
    assert "%lambda invoke" in shell.find_line_magic("lambda").__doc__


def test_unloading_leaves_the_shell_as_it_was(run: Any, shell: Any) -> None:
    lambdanb.unload_ipython_extension(shell)
    assert shell.find_cell_magic("lambda") is None
    assert shell.find_line_magic("lambda") is None
    assert shell.custom_exceptions == ()
    assert not hasattr(lambdanb.FunctionError, "_render_traceback_")
    assert not any(matcher.matcher_identifier == "lambdanb" for matcher in shell.Completer.custom_matchers)
    assert lambdanb.Function not in shell.display_formatter.formatters["text/html"]
    lambdanb.load_ipython_extension(shell)
    lambdanb.load_ipython_extension(shell)
    assert sum(m.matcher_identifier == "lambdanb" for m in shell.Completer.custom_matchers) == 1


def test_the_endpoint_here(run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 in the notebook needs nothing more."""
    run(f"%%lambda echo\n{ECHO}")
    run("%lambda endpoint")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("export ")]
    told = {name: shlex.split(value)[0] for name, _, value in (line[len("export ") :].partition("=") for line in lines)}
    for name in told:
        monkeypatch.setenv(name, "another")
    boto3.client("lambda", endpoint_url="http://127.0.0.1:9")  # boto3's own session has another's keys now
    run("%lambda endpoint --here")
    assert told["AWS_ENDPOINT_URL"] in capsys.readouterr().out
    assert {name: os.environ[name] for name in told} == told
    assert [each["FunctionName"] for each in boto3.client("lambda").list_functions()["Functions"]] == ["echo"]
