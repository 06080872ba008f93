"""VPC Endpoint Posture: by which path does traffic to AWS services leave, and who may use it?"""
