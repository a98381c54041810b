// Answers what IAM would: reads requests with their policies as JSON from standard input, writes one
// verdict for each. The packages are found below the folder that is the first argument.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const packages = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { runSimulation } = await import(
  pathToFileURL(packages.resolve("@cloud-copilot/iam-simulate"))
);

// The evaluator knows the keys of a few identity providers only and passes over those of others. One
// provider's keys behave as another's, so GitHub's go by the name of one that it knows.
const known = (value) =>
  JSON.parse(
    JSON.stringify(value).replaceAll(
      /token\.actions\.githubusercontent\.com:(sub|aud)/g,
      "accounts.google.com:$1",
    ),
  );

const account = "111122223333";
const named = (policy, name) => (policy ? [{ name, policy }] : []);
const verdicts = [];
for (const request of known(JSON.parse(readFileSync(0, "utf8")))) {
  const answer = await runSimulation(
    {
      request: {
        principal: request.principal,
        action: request.action,
        resource: { resource: request.resource, accountId: account },
        contextVariables: request.context ?? {},
      },
      identityPolicies: named(request.identity, "identity"),
      permissionBoundaryPolicies: request.boundary ? named(request.boundary, "boundary") : undefined,
      resourcePolicy: request.resource_policy ?? undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error" || answer.errors) {
    throw new Error(`${JSON.stringify(request)}: ${JSON.stringify(answer)}`);
  }
  const ignored = answer.result?.ignoredContextKeys ?? [];
  if (ignored.length > 0) throw new Error(`${request.action} takes no ${ignored}`);
  verdicts.push(answer.overallResult);
}
process.stdout.write(JSON.stringify(verdicts));
