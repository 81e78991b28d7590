"""The model services of SteerScope, one package each, and the shell they share (`services.serving`)."""

from services import _quiet, _torchvision

_quiet.install()
_torchvision.install()
