#!/bin/sh
# `make audit`: known vulnerabilities of what requirements.lock pins, by pip-audit and PyPI's advisories. Exit status: 0 none,
# 1 some, 3 the advisories cannot be had. Hashes are not pinned: the same line `torch==…` stands for another wheel on a CPU,
# on CUDA and on every platform, so a lock with hashes would serve one kind of machine; pip checks what it downloads
# against the index's own hashes over TLS.
set -u
uv=${1:?the uv to run pip-audit with}
lock=${2:-requirements.lock}
audit() { "$uv" tool run --from "pip-audit==2.10.1" pip-audit --progress-spinner off --no-deps --disable-pip "$@"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# A release with well-known holes: where it passes, the advisories are not there, and silence would mean nothing.
echo "jinja2==2.4.1" > "$scratch/known.txt"
if audit -r "$scratch/known.txt" > "$scratch/out" 2>&1; then
  echo "audit: the index answers without advisories (a mirror?): nothing was checked; run it where pypi.org is in reach" >&2
  exit 3
elif ! grep -qE "PYSEC|GHSA|CVE" "$scratch/out"; then
  tail -n 3 "$scratch/out" >&2
  echo "audit: PyPI's advisories cannot be reached: nothing was checked" >&2
  exit 3
fi
audit -r "$lock" --desc off
