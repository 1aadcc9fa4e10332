"""Forecasts what a stream of invocations would come to: latency, concurrency, cold starts, throttles and the bill.

The model and its kernel; `lambdanb.simulate` (analysis/simulate.py) is the way in.
"""
