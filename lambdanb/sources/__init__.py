"""Event sources: the services whose changes invoke functions, and what reads them.

`emulator` is the process that keeps S3, DynamoDB, Kinesis, SQS, SNS, EventBridge, IAM and STS up where no other
endpoint was named; `emulated` is the one that it looks after.
"""
