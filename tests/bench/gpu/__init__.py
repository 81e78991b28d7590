"""Random-weight models of the published sizes behind the real services: how fast and how large they are on a GPU.

`python -m tests.bench.gpu` makes the models on the spot (nothing is downloaded), serves each service alone and writes
docs/gpu-bench.md; `--tiny` runs the very same code on a CPU in a minute or two.
"""
