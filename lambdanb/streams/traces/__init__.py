"""Traces of real serverless platforms, in the files that their authors publish, as streams.

    azure_2019.arrivals(path, ...)      the whole trace's arrivals as one stream
    azure_2019.functions(path, ...)     a TraceFunction for each function, one after the other

and the same for `azure_2021` and `huawei_2023`. Files may be larger than memory, and gzipped. A file that isn't as its
authors describe it raises TraceError, with file, line and column.
"""

from lambdanb.streams.traces import azure_2019, azure_2021, huawei_2023
from lambdanb.streams.traces.function import Quantiles, TraceFunction
from lambdanb.streams.traces.table import TraceError

__all__ = ["Quantiles", "TraceError", "TraceFunction", "azure_2019", "azure_2021", "huawei_2023"]
