-- What could not be read or decided, and what is missing: never a pass.
SELECT rule, resource, subject, account, region, opened_at, summary
FROM findings
WHERE status = 'unknown'
ORDER BY account, region, subject, rule, resource
