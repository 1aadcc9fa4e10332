"""Plain data that every other room shares: rules, configuration, records, prices, errors, names and the wire.

Imports nothing of lambdanb. Import the module that you need (`from lambdanb.model.rules import TODAY`).
"""
