"""Image sets: folders, Hugging Face data sets and WebDataset shards, all with one small face. No torch in here.

`open_images(location)` opens a place; image i of it has a name and its encoded bytes, as they are stored, read when
they are asked for: nothing is loaded whole into memory. The order of a set's images never changes while its content
does not. Locations:

| location | images |
| --- | --- |
| `~/images/val` | a folder: .jpg, .jpeg, .png, .webp and .ppm files at any depth, by the sorted order of their paths |
| `hf:owner/name` | a data set of the Hugging Face hub: its rows; downloaded at the first opening |
| `hf:owner/name@revision` | that commit, branch or tag; the opened set's own `location` names the commit |
| `hf:/path`, `hf:./path`, `hf:~/path` | what `save_to_disk` wrote, or a local clone: parquet files, an image folder |
| `hf:…#split=validation,column=photo` | with choices, below |
| `wds:/data/val-{000..010}.tar` | the images of uncompressed tar shards, in the order of shards and members |
| `wds:/data/a.tar,/data/b-*.tar` | lists, braces and globs (sorted); a shard named twice counts once |

Choices of `hf:`, separated by commas: `split` and `config`, needed where a data set has several; `column`, the one
with the images, found by its type if there is only one; `files`, a glob of the data files to take, such as
`data/validation-*.parquet`. A column may hold encoded images, structs of `bytes` and `path`, or paths. In a tar, a
member is an image if its WebDataset field, all that follows the first dot of its name, is one of the suffixes of
folders: `000.jpg` is one, `000.mask.png` is not.
"""

from services.imagesets.base import ImageSet, ImageSetError, digest_of_bytes, set_hash
from services.imagesets.opening import absolute, open_images
from services.imagesets.parts import Part, is_part_of
from services.imagesets.roots import EVERYWHERE, OutsideRootsError, Roots

__all__ = [
    "EVERYWHERE",
    "ImageSet",
    "ImageSetError",
    "OutsideRootsError",
    "Part",
    "Roots",
    "absolute",
    "digest_of_bytes",
    "is_part_of",
    "open_images",
    "set_hash",
]
