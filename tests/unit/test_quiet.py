"""A service's or a command's first words are its own."""

import subprocess
import sys


def test_importing_the_big_libraries_says_nothing():
    code = "import services; from transformers import AutoModelForImageTextToText; "
    code += "from diffusers import StableDiffusion3Pipeline"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == done.stdout == ""
