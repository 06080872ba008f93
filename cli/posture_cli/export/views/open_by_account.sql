-- Open findings by account, region and severity.
SELECT account, max(account_name) AS account_name, region, severity, count(*) AS findings
FROM findings
WHERE status = 'open'
GROUP BY account, region, severity
ORDER BY account, region, severity
