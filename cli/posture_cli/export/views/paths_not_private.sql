-- Subnets whose traffic to an AWS service is not private, or may not be.
SELECT account, region, subject, subject_name, subnet, subnet_name, service, outcome, summary
FROM paths
WHERE outcome NOT IN ('endpoint', 'by security group', 'no route')
ORDER BY account, region, subject, subnet, service
