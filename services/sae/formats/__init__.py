"""The libraries' ways to lay out an SAE's files, one file each; importing it here registers it.

`registry.py` says what a format has to tell, `place.py` where files come from.
"""

from services.sae.formats import dictionary_learning, plain, saelens, saev  # noqa: F401  they register themselves
from services.sae.formats.place import Place
from services.sae.formats.registry import find, format_names

__all__ = ["Place", "find", "format_names"]
