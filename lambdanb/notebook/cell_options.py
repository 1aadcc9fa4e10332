"""The options of `%%lambda`, and what its help says."""

from __future__ import annotations

from lambdanb.client.options import Parser, add_settings

_EXAMPLES = """\
The cell is the whole module: it can't see the notebook's variables, as a Lambda can't. What it does at its top level is
init, which runs once per execution environment (the cold start). Afterwards NAME is the function:

    NAME(event)           invoke it: what the handler returned, or FunctionError
    NAME.invoke(event)    an Invocation: payload or error, report, log
    NAME.submit(event)    a Future

example:

    %%lambda thumbnail --memory 512 --timeout 10 --env SIZE=128
    import os
    def lambda_handler(event, context):
        return {"size": int(os.environ["SIZE"])}

What isn't given gets AWS's default; %lambda configure NAME changes settings and keeps the code.
"""


def cell_parser() -> Parser:
    """The options of `%%lambda`."""
    parser = Parser(
        "%%lambda", "Deploy the cell as a function, or as the new code of the function of that name.", _EXAMPLES
    )
    parser.usage = "%%%%lambda NAME [settings]"
    parser.add_argument("name", metavar="NAME", help="letters, digits, - and _, at most 64")
    add_settings(parser)
    return parser
