"""Delivery of alerts to the SNS topic, Security Hub and CloudWatch metrics."""
