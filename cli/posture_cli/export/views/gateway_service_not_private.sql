-- When S3 or DynamoDB traffic had a path past the gateway endpoint, and who opened and closed it.
SELECT
  observed_at, step, subject, subject_name, account, region, resource, caused_by,
  opened_by, opened_by_event, resolved_by, resolved_by_event, summary
FROM history
WHERE rule = 'gateway-service-bypasses-endpoint' AND step IN ('opened', 'resolved', 'transient')
ORDER BY observed_at, id
