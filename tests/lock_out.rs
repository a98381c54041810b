//! What GitHub's roles may do and what not, in the words of an evaluator of IAM policies: on the
//! roles, policies and boundary as they are planned. Whoever controls a workflow must not get at what
//! limits it.

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use support::infrastructure::{ACCOUNT, Infrastructure, Planned};
use support::python::{evaluators_folder, project};

const BUCKET: &str = "arn:aws:s3:::aws-iam-gitops-state-111122223333";
const PROVIDER: &str = "oidc-provider/token.actions.githubusercontent.com";
const IDENTITY_CENTER: &str = "saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE";
const SERVICE_LINKED: &str =
    "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
const OTHER_ACCOUNT: &str = "arn:aws:organizations::111122223333:account/o-a1b2c3d4e5/444455556666";
const PERMISSION_SET: &str =
    "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef";

/// What the apply role may not do even if all kinds are asked for.
const NEVER: [(&str, &str); 14] = [
    ("organizations:LeaveOrganization", "*"),
    ("organizations:DeleteOrganization", "*"),
    ("organizations:CloseAccount", OTHER_ACCOUNT),
    ("organizations:RemoveAccountFromOrganization", OTHER_ACCOUNT),
    ("organizations:CreateGovCloudAccount", "*"),
    ("organizations:InviteAccountToOrganization", OTHER_ACCOUNT),
    ("organizations:EnableAWSServiceAccess", "*"),
    (
        "organizations:DisablePolicyType",
        "arn:aws:organizations::111122223333:root/o-a1b2c3d4e5/r-ab12",
    ),
    ("iam:EnableOrganizationsRootSessions", "*"),
    ("sts:AssumeRoot", "arn:aws:iam::444455556666:root"),
    (
        "account:StartPrimaryEmailUpdate",
        "arn:aws:account::111122223333:account/o-a1b2c3d4e5/444455556666",
    ),
    (
        "identitystore:CreateGroupMembership",
        "arn:aws:identitystore::111122223333:identitystore/d-0123456789",
    ),
    ("sso:DeleteInstance", "arn:aws:sso:::instance/ssoins-0123456789abcdef"),
    ("sts:AssumeRole", "arn:aws:iam::444455556666:role/OrganizationAccountAccessRole"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Allowed,
    /// No statement allows it.
    Implicit,
    /// A statement denies it, whatever else allows it.
    Denied,
}

use Verdict::{Allowed, Denied, Implicit};

/// Evaluates all requests at once; starting Node takes longer than a hundred of them.
fn verdicts(requests: &[Value]) -> Vec<Verdict> {
    let mut process = Command::new("node")
        .arg(project().join("tests/evaluator/evaluate.mjs"))
        .arg(evaluators_folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs the program `node`");
    let text = serde_json::to_vec(requests).expect("JSON");
    process.stdin.take().expect("a pipe").write_all(&text).expect("the requests");
    let output = process.wait_with_output().expect("the evaluator ends");
    assert!(output.status.success());
    let answers: Vec<String> = serde_json::from_slice(&output.stdout).expect("verdicts");
    answers
        .iter()
        .map(|answer| match answer.as_str() {
            "Allowed" => Allowed,
            "ImplicitlyDenied" => Implicit,
            "ExplicitlyDenied" => Denied,
            other => panic!("{other}"),
        })
        .collect()
}

fn arn(rest: &str) -> String {
    match rest {
        "*" => rest.to_owned(),
        _ if rest.starts_with("arn:") => rest.to_owned(),
        _ => format!("arn:aws:iam::{ACCOUNT}:{rest}"),
    }
}

struct Documents<'a>(&'a Planned);

impl Documents<'_> {
    /// A request of a role with its own policy, and its boundary if it has one.
    fn request(&self, role: &str, action: &str, resource: &str, context: Value) -> Value {
        let boundary =
            (role == "apply").then(|| self.0.document("aws_iam_policy.boundary[0]", "policy"));
        json!({
            "principal": arn(&format!("role/aws-iam-gitops-{role}")),
            "action": action,
            "resource": arn(resource),
            "context": context,
            "identity": self.0.document(&format!("aws_iam_role_policy.{role}[0]"), "policy"),
            "boundary": boundary,
        })
    }

    /// The same request of a role whose own policy somebody has made `*` on `*`: what the boundary
    /// alone keeps from it.
    fn as_administrator(&self, request: &Value) -> Value {
        let everything = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        });
        let mut request = request.clone();
        request["identity"] = everything;
        request
    }
}

fn plan() -> &'static Planned {
    static PLAN: OnceLock<Planned> = OnceLock::new();
    PLAN.get_or_init(|| {
        Infrastructure::to_plan().plan(&[
            ("protected_roles", r#"["break-glass-*"]"#),
            ("protected_users", r#"["break-glass-*"]"#),
            ("protected_groups", r#"["admins"]"#),
        ])
    })
}

#[track_caller]
fn assert_verdicts(cases: &[(Value, Verdict)]) {
    let requests: Vec<Value> = cases.iter().map(|(request, _)| request.clone()).collect();
    let wrong: Vec<String> = verdicts(&requests)
        .into_iter()
        .zip(cases)
        .filter(|(found, (_, expected))| found != expected)
        .map(|(found, (request, expected))| {
            format!(
                "{} {} {}: {found:?}, not {expected:?}",
                request["principal"], request["action"], request["resource"]
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_apply_role_does_its_work_and_cannot_reach_its_own_limits() {
    let plan = plan();
    let documents = Documents(plan);
    let state = format!("{BUCKET}/terraform.tfstate");
    let lock = format!("{state}.tflock");
    let policy =
        "arn:aws:organizations::111122223333:policy/o-a1b2c3d4e5/service_control_policy/p-k3v8x1m5";
    let may = [
        ("iam:CreateRole", "role/deploy"),
        ("iam:CreateRole", "role/teams/web/deploy"),
        ("iam:DeleteRole", "role/deploy"),
        ("iam:UpdateAssumeRolePolicy", "role/deploy"),
        ("iam:UpdateRole", "role/deploy"),
        ("iam:UpdateRoleDescription", "role/deploy"),
        ("iam:PutRolePolicy", "role/deploy"),
        ("iam:DeleteRolePolicy", "role/deploy"),
        ("iam:AttachRolePolicy", "role/deploy"),
        ("iam:DetachRolePolicy", "role/deploy"),
        ("iam:PutRolePermissionsBoundary", "role/deploy"),
        ("iam:DeleteRolePermissionsBoundary", "role/deploy"),
        ("iam:TagRole", "role/deploy"),
        ("iam:CreatePolicy", "policy/deploy-site"),
        ("iam:CreatePolicyVersion", "policy/deploy-site"),
        ("iam:DeletePolicyVersion", "policy/deploy-site"),
        ("iam:DeletePolicy", "policy/deploy-site"),
        ("iam:CreateInstanceProfile", "instance-profile/web"),
        ("iam:AddRoleToInstanceProfile", "instance-profile/web"),
        ("iam:CreateUser", "user/teams/web/alice"),
        ("iam:UpdateUser", "user/alice"),
        ("iam:DeleteUser", "user/alice"),
        ("iam:TagUser", "user/alice"),
        ("iam:PutUserPolicy", "user/alice"),
        ("iam:AttachUserPolicy", "user/alice"),
        ("iam:PutUserPermissionsBoundary", "user/alice"),
        ("iam:DeleteUserPermissionsBoundary", "user/alice"),
        ("iam:AddUserToGroup", "group/readers"),
        ("iam:RemoveUserFromGroup", "group/readers"),
        ("iam:CreateGroup", "group/readers"),
        ("iam:UpdateGroup", "group/readers"),
        ("iam:PutGroupPolicy", "group/readers"),
        ("iam:AttachGroupPolicy", "group/readers"),
        ("iam:DeleteGroup", "group/readers"),
        ("iam:CreateOpenIDConnectProvider", "oidc-provider/oidc.example.com"),
        ("iam:AddClientIDToOpenIDConnectProvider", "oidc-provider/oidc.example.com"),
        ("iam:UpdateOpenIDConnectProviderThumbprint", "oidc-provider/oidc.example.com"),
        ("iam:DeleteOpenIDConnectProvider", "oidc-provider/oidc.example.com"),
        ("iam:CreateSAMLProvider", "saml-provider/directory"),
        ("iam:UpdateSAMLProvider", "saml-provider/directory"),
        ("iam:CreateAccountAlias", "*"),
        ("iam:UpdateAccountPasswordPolicy", "*"),
        // What protects is read like the rest.
        ("iam:GetRole", "role/aws-iam-gitops-apply"),
        ("iam:GetPolicyVersion", "policy/aws-iam-gitops-boundary"),
        ("iam:GetOpenIDConnectProvider", PROVIDER),
        ("iam:GetUser", "user/break-glass-1"),
        ("iam:GetGroup", "group/admins"),
        ("organizations:UpdatePolicy", policy),
        ("s3:GetObject", &state),
        ("s3:PutObject", &state),
        ("s3:PutObject", &lock),
        ("s3:DeleteObject", &lock),
    ];
    let own =
        ["apply", "plan", "export", "function"].map(|role| format!("role/aws-iam-gitops-{role}"));
    let writes = [
        "iam:UpdateAssumeRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:DeleteRole",
        "iam:UpdateRole",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:CreateRole",
        "iam:PassRole",
        "sts:AssumeRole",
    ];
    let others = [
        ("iam:UpdateAssumeRolePolicy", "role/break-glass-1"),
        ("iam:UpdateAssumeRolePolicy", "role/admins/break-glass-1"),
        ("iam:DeleteRole", "role/break-glass-1"),
        ("sts:AssumeRole", "role/break-glass-1"),
        ("iam:CreatePolicyVersion", "policy/aws-iam-gitops-boundary"),
        ("iam:DeletePolicyVersion", "policy/aws-iam-gitops-boundary"),
        ("iam:SetDefaultPolicyVersion", "policy/aws-iam-gitops-boundary"),
        ("iam:DeletePolicy", "policy/aws-iam-gitops-boundary"),
        ("iam:UntagPolicy", "policy/aws-iam-gitops-boundary"),
        ("iam:DeleteOpenIDConnectProvider", PROVIDER),
        ("iam:AddClientIDToOpenIDConnectProvider", PROVIDER),
        ("iam:UpdateOpenIDConnectProviderThumbprint", PROVIDER),
        ("iam:RemoveClientIDFromOpenIDConnectProvider", PROVIDER),
        ("iam:CreateOpenIDConnectProvider", PROVIDER),
        ("iam:TagOpenIDConnectProvider", PROVIDER),
        // Whom IAM Identity Center lets in.
        ("iam:UpdateSAMLProvider", IDENTITY_CENTER),
        ("iam:DeleteSAMLProvider", IDENTITY_CENTER),
        ("iam:CreateSAMLProvider", IDENTITY_CENTER),
        // Protected users and groups, by their own name or by taking it.
        ("iam:DeleteUser", "user/break-glass-1"),
        ("iam:UpdateUser", "user/break-glass-1"),
        ("iam:CreateUser", "user/break-glass-2"),
        ("iam:PutUserPolicy", "user/break-glass-1"),
        ("iam:DetachUserPolicy", "user/people/break-glass-1"),
        ("iam:PutUserPermissionsBoundary", "user/break-glass-1"),
        ("iam:AddUserToGroup", "group/admins"),
        ("iam:RemoveUserFromGroup", "group/admins"),
        ("iam:UpdateGroup", "group/teams/admins"),
        ("iam:DetachGroupPolicy", "group/admins"),
        // Ways to be somebody else.
        ("sts:AssumeRole", "role/made-by-apply"),
        ("iam:CreateAccessKey", "user/alice"),
        ("iam:UpdateAccessKey", "user/alice"),
        ("iam:DeleteAccessKey", "user/alice"),
        ("iam:CreateLoginProfile", "user/alice"),
        ("iam:UpdateLoginProfile", "user/alice"),
        ("iam:DeleteLoginProfile", "user/alice"),
        ("iam:CreateServiceSpecificCredential", "user/alice"),
        ("iam:ResetServiceSpecificCredential", "user/alice"),
        ("iam:UploadSSHPublicKey", "user/alice"),
        ("iam:UploadSigningCertificate", "user/alice"),
        ("iam:CreateVirtualMFADevice", "mfa/alice"),
        ("iam:EnableMFADevice", "user/alice"),
        ("iam:DeactivateMFADevice", "user/alice"),
        // What nobody asked for.
        ("iam:CreateServiceLinkedRole", SERVICE_LINKED),
        ("iam:DeleteServiceLinkedRole", SERVICE_LINKED),
        ("organizations:MoveAccount", OTHER_ACCOUNT),
        ("organizations:CreateAccount", "*"),
        ("organizations:PutResourcePolicy", "*"),
        ("organizations:RegisterDelegatedAdministrator", OTHER_ACCOUNT),
        ("sso:CreateAccountAssignment", PERMISSION_SET),
        ("sso:PutInlinePolicyToPermissionSet", PERMISSION_SET),
        // Ways round IAM.
        (
            "lambda:UpdateFunctionCode",
            "arn:aws:lambda:us-east-1:111122223333:function:aws-iam-gitops",
        ),
        (
            "lambda:UpdateFunctionConfiguration",
            "arn:aws:lambda:us-east-1:111122223333:function:aws-iam-gitops",
        ),
        ("lambda:CreateFunction", "arn:aws:lambda:us-east-1:111122223333:function:other"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:aws-iam-gitops/token-AbCdEf",
        ),
        (
            "secretsmanager:PutSecretValue",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:aws-iam-gitops/token-AbCdEf",
        ),
        (
            "cloudtrail:StopLogging",
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/aws-iam-gitops",
        ),
        (
            "cloudtrail:DeleteTrail",
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/aws-iam-gitops",
        ),
        (
            "cloudtrail:PutEventSelectors",
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/aws-iam-gitops",
        ),
        ("events:DisableRule", "arn:aws:events:us-east-1:111122223333:rule/aws-iam-gitops-events"),
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:aws-iam-gitops-events"),
        ("sqs:PurgeQueue", "arn:aws:sqs:us-east-1:111122223333:aws-iam-gitops-events"),
        ("s3:DeleteObject", &state),
        ("s3:PutBucketPolicy", BUCKET),
        ("s3:PutBucketVersioning", BUCKET),
        ("s3:DeleteBucket", BUCKET),
        ("s3:PutObject", "arn:aws:s3:::aws-iam-gitops-state-111122223333/other.tfstate"),
        ("s3:GetObject", "arn:aws:s3:::aws-iam-gitops-trail-111122223333/AWSLogs/x.json.gz"),
        ("s3:DeleteObject", "arn:aws:s3:::aws-iam-gitops-trail-111122223333/AWSLogs/x.json.gz"),
    ];
    let mut cases: Vec<(Value, Verdict)> = may
        .iter()
        .map(|(action, resource)| {
            (documents.request("apply", action, resource, json!({})), Allowed)
        })
        .collect();
    let forbidden = own
        .iter()
        .flat_map(|role| writes.iter().map(move |action| (*action, role.as_str())))
        .chain(others)
        .chain(NEVER);
    for (action, resource) in forbidden {
        let request = documents.request("apply", action, resource, json!({}));
        cases.push((documents.as_administrator(&request), Denied));
        cases.push((request, Denied));
    }
    // Identity Center's roles nobody but AWS changes, which the evaluator knows, too.
    let reserved = "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
    let request = documents.request("apply", "iam:AttachRolePolicy", reserved, json!({}));
    cases.push((documents.as_administrator(&request), Implicit));
    // A role is passed to EC2 and to nothing else.
    for (service, verdict) in [("ec2.amazonaws.com", Allowed), ("lambda.amazonaws.com", Implicit)] {
        let context = json!({"iam:PassedToService": service});
        cases.push((documents.request("apply", "iam:PassRole", "role/web", context), verdict));
    }
    assert!(cases.len() > 200);
    assert_verdicts(&cases);
}

#[test]
fn kinds_that_are_asked_for_reach_no_further() {
    let plan = Infrastructure::to_plan().plan(&[(
        "apply_kinds",
        r#"["identity_center", "organization_structure", "service_linked_roles"]"#,
    )]);
    let documents = Documents(&plan);
    let unit = "arn:aws:organizations::111122223333:ou/o-a1b2c3d4e5/ou-ab12-w0rk1oad";
    let root = "arn:aws:organizations::111122223333:root/o-a1b2c3d4e5/r-ab12";
    let accounts = ["444455556666", ACCOUNT].map(|id| format!("arn:aws:sso:::account/{id}"));
    let may = [
        ("organizations:CreateAccount", "*"),
        ("organizations:MoveAccount", OTHER_ACCOUNT),
        ("organizations:CreateOrganizationalUnit", root),
        ("organizations:DeleteOrganizationalUnit", unit),
        ("organizations:UpdateOrganizationalUnit", unit),
        ("organizations:PutResourcePolicy", "*"),
        ("iam:CreateServiceLinkedRole", SERVICE_LINKED),
        ("iam:DeleteServiceLinkedRole", SERVICE_LINKED),
        ("sso:CreatePermissionSet", "arn:aws:sso:::instance/ssoins-0123456789abcdef"),
        ("sso:PutInlinePolicyToPermissionSet", PERMISSION_SET),
        ("sso:AttachManagedPolicyToPermissionSet", PERMISSION_SET),
        ("sso:PutPermissionsBoundaryToPermissionSet", PERMISSION_SET),
        ("sso:CreateAccountAssignment", PERMISSION_SET),
        ("sso:CreateAccountAssignment", &accounts[0]),
        ("sso:DeleteAccountAssignment", &accounts[0]),
        ("sso:ListAccountAssignments", &accounts[1]),
    ];
    // Nobody is let into the account that this runs in, or kept out of it.
    let not = [
        ("sso:CreateAccountAssignment", accounts[1].as_str()),
        ("sso:DeleteAccountAssignment", &accounts[1]),
        ("sso:ProvisionPermissionSet", &accounts[1]),
        ("iam:UpdateAssumeRolePolicy", "role/aws-iam-gitops-apply"),
        ("iam:DeleteRolePermissionsBoundary", "role/aws-iam-gitops-apply"),
        ("iam:CreatePolicyVersion", "policy/aws-iam-gitops-boundary"),
        ("iam:DeleteOpenIDConnectProvider", PROVIDER),
        ("iam:UpdateSAMLProvider", IDENTITY_CENTER),
    ];
    let mut cases = Vec::new();
    for (action, resource) in may {
        cases.push((documents.request("apply", action, resource, json!({})), Allowed));
    }
    for (action, resource) in not.into_iter().chain(NEVER) {
        let request = documents.request("apply", action, resource, json!({}));
        cases.push((documents.as_administrator(&request), Denied));
        cases.push((request, Denied));
    }
    for action in ["RegisterDelegatedAdministrator", "DeregisterDelegatedAdministrator"] {
        for (service, verdict) in [
            ("guardduty.amazonaws.com", Allowed),
            // Who administers CloudTrail may stop the organization's trail.
            ("cloudtrail.amazonaws.com", Denied),
        ] {
            let context = json!({"organizations:ServicePrincipal": service});
            let action = format!("organizations:{action}");
            cases.push((documents.request("apply", &action, OTHER_ACCOUNT, context), verdict));
        }
    }
    // The plan role reads it all and does none of it.
    for (action, resource) in may.into_iter().filter(|(action, _)| !action.contains(":List")) {
        cases.push((documents.request("plan", action, resource, json!({})), Implicit));
    }
    cases.push((
        documents.request("plan", "organizations:DescribeAccount", OTHER_ACCOUNT, json!({})),
        Allowed,
    ));
    cases.push((
        documents.request("plan", "sso:DescribePermissionSet", PERMISSION_SET, json!({})),
        Allowed,
    ));
    assert_verdicts(&cases);
}

#[test]
fn the_plan_role_reads_and_writes_nothing() {
    let plan = plan();
    let documents = Documents(plan);
    let state = format!("{BUCKET}/terraform.tfstate");
    let lock = format!("{state}.tflock");
    let reads = [
        ("iam:GetRole", "role/deploy"),
        ("iam:GetRolePolicy", "role/deploy"),
        ("iam:ListAttachedRolePolicies", "role/deploy"),
        ("iam:GetPolicyVersion", "policy/deploy-site"),
        ("s3:GetObject", &state),
        ("s3:ListBucket", BUCKET),
    ];
    let others = [
        ("s3:PutObject", state.as_str()),
        ("s3:DeleteObject", &state),
        ("s3:PutObject", &lock),
        ("s3:GetObject", "arn:aws:s3:::aws-iam-gitops-trail-111122223333/AWSLogs/x.json.gz"),
        ("sts:AssumeRole", "role/aws-iam-gitops-apply"),
        ("iam:PassRole", "role/deploy"),
        ("iam:CreateRole", "role/deploy"),
        ("iam:UpdateAssumeRolePolicy", "role/aws-iam-gitops-plan"),
        ("iam:CreateUser", "user/alice"),
        ("iam:AddUserToGroup", "group/readers"),
        ("iam:UpdateSAMLProvider", "saml-provider/directory"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:aws-iam-gitops/token-AbCdEf",
        ),
    ];
    let mut cases: Vec<(Value, Verdict)> = Vec::new();
    for (action, resource) in reads {
        cases.push((documents.request("plan", action, resource, json!({})), Allowed));
    }
    for (action, resource) in others {
        cases.push((documents.request("plan", action, resource, json!({})), Implicit));
        cases.push((documents.request("export", action, resource, json!({})), Implicit));
    }
    assert_verdicts(&cases);
}

/// The state is for the two roles, whatever S3 rights others of the account have.
#[test]
fn the_state_is_for_its_two_roles() {
    let plan = plan();
    let policy = plan.document("aws_s3_bucket_policy.state[0]", "policy");
    let request = |role: &str, action: &str, is_encrypted: &str| {
        let principal = arn(&format!("role/{role}"));
        json!({
            "principal": principal, "action": action,
            "resource": format!("{BUCKET}/terraform.tfstate"),
            "context": {"aws:PrincipalArn": principal, "aws:SecureTransport": is_encrypted},
            "identity": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
            },
            "resource_policy": policy,
        })
    };
    assert_verdicts(&[
        (request("aws-iam-gitops-plan", "s3:GetObject", "true"), Allowed),
        (request("aws-iam-gitops-apply", "s3:PutObject", "true"), Allowed),
        (request("aws-iam-gitops-apply", "s3:PutObject", "false"), Denied),
        (request("administrator", "s3:GetObject", "true"), Denied),
        (request("administrator", "s3:PutObject", "true"), Denied),
        (request("aws-iam-gitops-function", "s3:GetObject", "true"), Denied),
        // Who cleans up may.
        (request("administrator", "s3:DeleteObject", "true"), Allowed),
    ]);
}

/// What is on the queue becomes the author of a commit.
#[test]
fn only_the_rule_sends_to_the_queue() {
    let plan = plan();
    let queue = "arn:aws:sqs:us-east-1:111122223333:aws-iam-gitops-events";
    let policy = plan.document("aws_sqs_queue_policy.events", "policy");
    let rule = "arn:aws:events:us-east-1:111122223333:rule/aws-iam-gitops-events";
    let request = |principal: &str, context: Value| {
        let everything = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
        });
        let is_service = !principal.starts_with("arn:");
        json!({
            "principal": principal, "action": "sqs:SendMessage", "resource": queue,
            "context": context, "resource_policy": policy,
            "identity": if is_service { Value::Null } else { everything },
        })
    };
    let events = "events.amazonaws.com";
    let other = "arn:aws:events:us-east-1:111122223333:rule/other";
    assert_verdicts(&[
        (request(events, json!({"aws:SourceArn": rule, "aws:SecureTransport": "true"})), Allowed),
        (request(events, json!({"aws:SourceArn": other, "aws:SecureTransport": "true"})), Denied),
        (request(&arn("role/administrator"), json!({"aws:SecureTransport": "true"})), Denied),
        (request(&arn("user/alice"), json!({"aws:SecureTransport": "true"})), Denied),
    ]);
}

/// With several accounts the function sends to its own queue, and nobody else does either.
#[test]
fn rules_and_function_send_and_members_reach_the_bus_alone() {
    let plan = Infrastructure::to_plan()
        .plan(&[("accounts", r#"["organization"]"#), ("organization_id", "o-a1b2c3d4e5")]);
    let queue = "arn:aws:sqs:us-east-1:111122223333:aws-iam-gitops-events";
    let bus = "arn:aws:events:us-east-1:111122223333:event-bus/aws-iam-gitops-members";
    let everything = json!({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    });
    let request = |principal: &str, action: &str, resource: &str, mut context: Value| {
        context["aws:SecureTransport"] = json!("true");
        let is_service = !principal.starts_with("arn:");
        if !is_service {
            context["aws:PrincipalArn"] = json!(principal);
        }
        let policy = match resource == queue {
            true => plan.document("aws_sqs_queue_policy.events", "policy"),
            false => plan.document("aws_cloudwatch_event_bus_policy.members[0]", "policy"),
        };
        json!({
            "principal": principal, "action": action, "resource": resource, "context": context,
            "resource_policy": policy, "identity": if is_service { Value::Null } else { everything.clone() },
        })
    };
    let send = |principal: &str, context| request(principal, "sqs:SendMessage", queue, context);
    let rule =
        "arn:aws:events:us-east-1:111122223333:rule/aws-iam-gitops-members/aws-iam-gitops-members";
    let events = "events.amazonaws.com";
    let mut cases = vec![
        (send(&arn("role/aws-iam-gitops-function"), json!({})), Allowed),
        (send(events, json!({"aws:SourceArn": rule})), Allowed),
        (send(&arn("role/administrator"), json!({})), Denied),
        (send(&arn("role/x/aws-iam-gitops-function"), json!({})), Denied),
    ];
    let forward = "arn:aws:iam::444455556666:role/aws-iam-gitops-forward";
    for (principal, organization, verdict) in [
        (forward, "o-a1b2c3d4e5", Allowed),
        (forward, "o-zzzzzzzzzz", Implicit),
        ("arn:aws:iam::444455556666:role/other", "o-a1b2c3d4e5", Implicit),
    ] {
        let context = json!({"aws:PrincipalOrgID": organization});
        cases.push((request(principal, "events:PutEvents", bus, context), verdict));
    }
    assert_verdicts(&cases);
}

/// The role of another account is entered by the function that knows the external ID.
#[test]
fn a_member_is_entered_by_the_function_alone() {
    let function = "arn:aws:iam::444455556666:role/aws-iam-gitops-function";
    let plan = Infrastructure::of("terraform/modules/member").plan(&[
        ("bus_arn", "arn:aws:events:us-east-1:444455556666:event-bus/aws-iam-gitops-members"),
        ("function_role_arn", function),
        ("external_id", "the-external-id"),
    ]);
    let request = |principal: &str, external_id: Option<&str>| {
        let mut context = json!({"aws:PrincipalArn": principal});
        if let Some(id) = external_id {
            context["sts:ExternalId"] = json!(id);
        }
        json!({
            "principal": principal, "action": "sts:AssumeRole",
            "resource": arn("role/aws-iam-gitops-member"), "context": context,
            "identity": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            },
            "resource_policy": plan.document("aws_iam_role.member", "assume_role_policy"),
        })
    };
    let administrator = "arn:aws:iam::444455556666:role/administrator";
    assert_verdicts(&[
        (request(function, Some("the-external-id")), Allowed),
        (request(function, Some("another")), Implicit),
        (request(function, None), Implicit),
        (request(administrator, Some("the-external-id")), Implicit),
    ]);
}

#[test]
fn roles_are_taken_by_exactly_their_subjects() {
    let infrastructure = Infrastructure::to_plan();
    let old = infrastructure.plan(&[]);
    let both = infrastructure.plan(&[
        ("github_owner_id", "12"),
        ("github_repository_id", "34"),
        ("environment", "production"),
        ("branch", "trunk"),
    ]);
    let request = |plan: &Planned, role: &str, subject: &str, audience: &str, provider: &str| {
        json!({
            "principal": arn(provider), "action": "sts:AssumeRoleWithWebIdentity",
            "resource": arn(&format!("role/aws-iam-gitops-{role}")),
            "context": {
                "token.actions.githubusercontent.com:sub": subject,
                "token.actions.githubusercontent.com:aud": audience,
            },
            "resource_policy": plan.document(&format!("aws_iam_role.{role}[0]"), "assume_role_policy"),
        })
    };
    let aws = "sts.amazonaws.com";
    let main = "repo:example-org/iam:ref:refs/heads/main";
    let pull_request = "repo:example-org/iam:pull_request";
    let mut cases = vec![
        (request(&old, "plan", pull_request, aws, PROVIDER), Allowed),
        (request(&old, "apply", main, aws, PROVIDER), Allowed),
        (request(&old, "export", main, aws, PROVIDER), Allowed),
        (request(&old, "plan", pull_request, "https://github.com/example-org", PROVIDER), Implicit),
        (request(&old, "plan", pull_request, aws, "oidc-provider/evil.example.com"), Implicit),
    ];
    for subject in [
        pull_request,
        "repo:example-org/iam:ref:refs/heads/main2",
        "repo:example-org/iam:ref:refs/heads/feature",
        "repo:example-org/iam:ref:refs/tags/main",
        "repo:example-org/iam:environment:production",
        "repo:example-org/iam2:ref:refs/heads/main",
        "repo:Example-Org/iam:ref:refs/heads/main",
        "repo:evil/iam:ref:refs/heads/main",
        "repo:example-org@12/iam@34:ref:refs/heads/main",
        "repo:example-org/*:ref:refs/heads/main",
    ] {
        cases.push((request(&old, "apply", subject, aws, PROVIDER), Implicit));
        cases.push((request(&old, "export", subject, aws, PROVIDER), Implicit));
    }
    cases.push((request(&old, "plan", main, aws, PROVIDER), Implicit));
    for (role, rest) in [
        ("plan", "pull_request"),
        ("apply", "environment:production"),
        ("export", "ref:refs/heads/trunk"),
    ] {
        for (name, verdict) in [
            ("repo:example-org/iam", Allowed),
            ("repo:example-org@12/iam@34", Allowed),
            ("repo:example-org@99/iam@34", Implicit),
            ("repo:example-org@12/iam@99", Implicit),
        ] {
            let subject = format!("{name}:{rest}");
            cases.push((request(&both, role, &subject, aws, PROVIDER), verdict));
        }
    }
    // With an environment the branch alone is not enough.
    let branch = "repo:example-org/iam:ref:refs/heads/trunk";
    cases.push((request(&both, "apply", branch, aws, PROVIDER), Implicit));
    assert_verdicts(&cases);
}
