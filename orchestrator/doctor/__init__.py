"""`steerscope doctor`: is this machine fit to run a profile? One check is one function that returns findings.

`finding.py` says what a finding is, `context.py` what a check may look at, `checks.py` which checks there are.
"""
