// Reads [{policy, request}] from standard input, writes whether each request is allowed.
// The policy is taken as a resource's, for as an endpoint's this evaluator ignores its principals.
const { dirname, join } = require("node:path");
const { readFileSync } = require("node:fs");
const { loadPolicy } = require("@cloud-copilot/iam-policy");

const root = dirname(require.resolve("@cloud-copilot/iam-simulate"));
const { authorize } = require(join(root, "core_engine/CoreSimulatorEngine.js"));
const { DiscoveryContextKeyConstraints } = require(
  join(root, "context_keys/discoveryContextKeyConstraints.js"),
);
const { AwsRequestImpl } = require(join(root, "request/request.js"));
const { RequestContextImpl } = require(join(root, "requestContext.js"));

function allowed({ policy, request: { principal, action, resource, owner, context } }) {
  const analysis = authorize({
    request: new AwsRequestImpl(
      principal,
      { resource, accountId: owner },
      action,
      new RequestContextImpl(context),
    ),
    identityPolicies: [],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: loadPolicy(policy, { name: "policy" }),
    simulationParameters: {
      simulationMode: "Strict",
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
    serviceSettings: {},
  });
  const { allowStatements, denyStatements } = analysis.resourceAnalysis;
  return denyStatements.length === 0 && allowStatements.length > 0;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(allowed)));
