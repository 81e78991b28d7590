"""Before any test: installs the torchvision shim, which must precede the first import of torchvision."""

import services  # noqa: F401
