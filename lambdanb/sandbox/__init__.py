"""The sandbox: what keeps an execution environment within its limits and away from everything else, one file per
mechanism.
"""
