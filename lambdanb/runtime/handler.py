"""From the words "module.function" to the function itself, with AWS's errors where that fails."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from lambdanb.runtime.faults import Fault

Handler = Callable[[Any, Any], Any]


def load_handler(handler: str) -> Handler:
    """Import the handler's module (this runs the function's init code) and give the handler.

    Raises Fault with Runtime.MalformedHandlerName, .ImportModuleError, .UserCodeSyntaxError, .HandlerNotFound or
    .BuiltInModuleConflict; an exception of the module's own code passes through.
    """
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        message = f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", message)
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise Fault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").rstrip()}\n'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", message, [where]) from error
    function = getattr(module, function_name, None)
    if function is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message)
    found: Handler = function
    return found
