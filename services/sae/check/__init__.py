"""The check at load time: does the SAE reconstruct the residual stream it is set to read? If not, what is wrong?

On a handful of images (`images.py`) the figures (`figures.py`) are taken at the claimed block. Where they are not
beyond doubt, other blocks and other ways to normalise the stream are tried (`diagnosis.py`).
"""

from services.sae.check.figures import mean_norm
from services.sae.check.images import check_images
from services.sae.check.inspection import CheckError, Inspection, inspect

__all__ = ["CheckError", "Inspection", "check_images", "inspect", "mean_norm"]
