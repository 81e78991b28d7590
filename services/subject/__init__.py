"""Subjects: the vision encoders whose features are explained, cut after block N.

One file per family of VLMs; importing it here registers it. `base.py` says what a family has to tell.
Shape legend: n images, p patches, d model width, c tokens in front of the patches, t image tokens of the LM.
"""

from services.subject import gemma3, internvl, llava  # noqa: F401  register themselves
from services.subject.base import Subject, home_of
from services.subject.checkpoint import tower_digest
from services.subject.loading import family_of_checkpoint, load_cut_tower, subject_of
from services.subject.pixels import Preprocessor

__all__ = [
    "Preprocessor",
    "Subject",
    "family_of_checkpoint",
    "home_of",
    "load_cut_tower",
    "subject_of",
    "tower_digest",
]
