"""Forecasts what a stream of invocations would come to: latency, concurrency, cold starts, throttles and the bill.

Import the module that you need (`from lambdanb.simulator.simulate import simulate`).
"""
