"""From bytes to values: strict JSON, and typed getters with limits and with paths in their errors.

Reading order:

- ``strict_json`` JSON in linear time, within a budget, without duplicate keys
- ``documents``   typed getters that turn a parsed document into one constructor call
"""
