"""The DynamoDB tables: findings, history, baseline, waivers and the resource index."""
