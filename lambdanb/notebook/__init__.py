"""The notebook's face: `%load_ext lambdanb` brings `%%lambda`, `%lambda`, completion, displays and tracebacks.

Each part puts itself in place and takes itself away again, so that `%unload_ext lambdanb` leaves the shell as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Put everything in place. Loading again begins afresh."""
    from lambdanb.client.function import Function
    from lambdanb.notebook import completion, display, tracebacks
    from lambdanb.notebook.cells import Cells
    from lambdanb.notebook.magics import LambdaMagics

    unload_ipython_extension(shell)
    cells = Cells(shell)
    cells.watch()
    shell.register_magics(LambdaMagics(shell, cells))
    completion.install(shell)
    display.install(shell, cells)
    Function._dashboard = _dashboard
    tracebacks.install(shell, cells)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything away. Functions stay deployed: they belong to the home, not to the notebook."""
    from lambdanb.client.function import Function
    from lambdanb.notebook import completion, display, tracebacks
    from lambdanb.notebook.magics import LambdaMagics

    magics = shell.magics_manager.registry.pop(LambdaMagics.__name__, None)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("lambda", None)
    if isinstance(magics, LambdaMagics):
        magics.cells.unwatch()
    completion.uninstall(shell)
    display.uninstall(shell)
    Function._dashboard = None
    tracebacks.uninstall(shell)


def _dashboard(*arguments: Any, **settings: Any) -> Any:
    """`Function.dashboard`, which loads its widgets when the first one is asked for."""
    from lambdanb.notebook.stream_dashboard import dashboard

    return dashboard(*arguments, **settings)
