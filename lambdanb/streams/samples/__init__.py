"""Sample events, in the shapes that AWS sends to functions today. Each call makes a new one: ids and times are its own.

    thumbnail(samples.s3_put(bucket="photos", key="cat.jpg"))
    load(thumbnail, Poisson(20), 30, event=lambda n: samples.s3_put(key=f"cat-{n}.jpg"))

Source: "Invoking Lambda with events from other AWS services" in the AWS Lambda Developer Guide, a page a service.
"""

from lambdanb.streams.samples.dynamodb import dynamodb_stream
from lambdanb.streams.samples.http import api_gateway, api_gateway_v2, function_url
from lambdanb.streams.samples.iot import iot
from lambdanb.streams.samples.kinesis import kinesis
from lambdanb.streams.samples.s3 import s3_put
from lambdanb.streams.samples.schedule import schedule
from lambdanb.streams.samples.sns import sns
from lambdanb.streams.samples.sqs import sqs

__all__ = [
    "api_gateway",
    "api_gateway_v2",
    "dynamodb_stream",
    "function_url",
    "iot",
    "kinesis",
    "s3_put",
    "schedule",
    "sns",
    "sqs",
]
