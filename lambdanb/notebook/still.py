"""What a dashboard leaves in the notebook: a picture that is there without a kernel, in a paper and on the web.

It is an output of its own, below the widget's; hidden while the widget lives.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from lambdanb.client.progress import in_notebook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIVES = "lambdanb-lives"
"""The class of a widget that has a still."""
# A widget whose kernel has gone gives way to its picture. Without :has (browsers before 2023) both are seen: no harm.
STYLE = f"""<style>
.{LIVES}.jupyter-widgets-disconnected {{ display: none; }}
.jp-OutputArea-child:has(.{LIVES}:not(.jupyter-widgets-disconnected)) + .jp-OutputArea-child {{ display: none; }}
</style>"""
_DPI = 90


class Still:
    """The output, from when it is shown."""

    def __init__(self) -> None:
        self._shown: list[Any] = []

    def show(self, text: str, figure: Figure | None = None) -> None:
        """Put it below what the cell has shown so far."""
        from IPython.display import display as ipython_display

        display: Any = ipython_display
        self._shown.append(display(_bundle(text, figure), raw=True, display_id=True))

    def update(self, text: str, figure: Figure | None = None) -> None:
        """Show this instead, in every place; from any thread."""
        bundle = _bundle(text, figure)
        for each in self._shown:
            each.update(bundle, raw=True)


def show_widget(text: str, widget: Any | None) -> bool:
    """Display a widget (None: it was closed), or its text where no notebook shows widgets; whether one does."""
    from IPython.display import display as ipython_display

    display: Any = ipython_display
    if not in_notebook():
        print(text)
        return False
    if widget is not None:
        display({**widget._repr_mimebundle_(), "text/plain": text}, raw=True)
    return True


def _bundle(text: str, figure: Figure | None) -> dict[str, str]:
    if figure is None:
        return {"text/plain": text}
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    return {"text/plain": text, "image/png": base64.b64encode(picture.getvalue()).decode("ascii")}
